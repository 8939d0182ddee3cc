"""The small door to what AWS has beside DynamoDB: a secret's text, a token for RDS, a message to an SNS topic.

Nothing imports it before it is used: botocore costs a third of a second.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import botocore.exceptions
import botocore.session
from botocore.awsrequest import prepare_request_dict
from botocore.config import Config as BotoConfig
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from twinrow.errors import ConfigError, Transient, TwinrowError

TIMEOUT_S = 5
TOKEN_S = 900
"""RDS takes a token for 15 minutes (Amazon RDS User Guide, "Connecting using IAM authentication")."""
PASSING: Final = frozenset({
    "InternalServiceError", "InternalFailure", "ServiceUnavailable", "ThrottlingException", "Throttling",
    "RequestTimeout",
})  # fmt: skip
NO_CREDENTIALS: Final = (
    botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.ProfileNotFound,
)  # fmt: skip


class _Session:
    """The credentials of this process, found once by botocore's usual chain and renewed by it."""

    lock: Final = threading.Lock()
    made: Any = None


def _session() -> Any:
    with _Session.lock:
        if _Session.made is None:
            _Session.made = botocore.session.Session()
        return _Session.made


def rds_token(host: str, port: int, user: str, region: str) -> str:
    """What RDS takes in place of a password: a request to connect, signed here; nothing is sent.

    Raises Transient where credentials cannot be read just now, ConfigError where there are none.
    """
    session = _session()
    request = {
        "url_path": "/", "query_string": "", "headers": {}, "method": "GET",
        "body": {"Action": "connect", "DBUser": user},
    }  # fmt: skip
    try:
        credentials = session.get_credentials()
        if credentials is None:
            raise botocore.exceptions.NoCredentialsError
        signer = RequestSigner(
            ServiceId("RDS"), region, "rds-db", "v4", credentials, session.get_component("event_emitter")
        )
        prepare_request_dict(request, f"https://{host}:{port}")
        url = signer.generate_presigned_url(request, "connect", region_name=region, expires_in=TOKEN_S)
    except (botocore.exceptions.BotoCoreError, RuntimeError) as error:
        raise _failed(error, "a token for RDS") from error
    return str(url).removeprefix("https://")


def secret_text(arn: str, region: str) -> str:
    """The text of a secret's current version. Raises Transient, or ConfigError where it is refused."""
    answer = _call("secretsmanager", region, "get_secret_value", arn, SecretId=arn)
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise ConfigError("the secret holds no text", where=arn, remedy="store user and password in it as JSON")
    return text


def publish(topic: str, region: str, subject: str, text: str) -> None:
    """Send a message to an SNS topic. Raises Transient, or ConfigError where it is refused."""
    _call("sns", region, "publish", topic, TopicArn=topic, Subject=subject, Message=text)


def _call(service: str, region: str, operation: str, where: str, **parameters: Any) -> dict[str, Any]:
    config = BotoConfig(connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"total_max_attempts": 2})
    try:
        with _Session.lock:  # two clients must not be made at once
            if _Session.made is None:
                _Session.made = botocore.session.Session()
            client = _Session.made.create_client(service, region_name=region, config=config)
        return dict(getattr(client, operation)(**parameters))
    except botocore.exceptions.ClientError as error:
        raise _refused(error.response, where) from error
    except (botocore.exceptions.BotoCoreError, RuntimeError, ValueError) as error:
        raise _failed(error, where) from error


def _refused(answer: Any, where: str) -> TwinrowError:
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    text = f"AWS refuses: {code}: {answer.get('Error', {}).get('Message', '')}"
    if code in PASSING or status >= 500:
        return Transient(text, where=where)
    return ConfigError(
        text, where=where, remedy="grant the rights that `twinrow iam-policy` prints", commands=("twinrow iam-policy",)
    )


def _failed(error: Exception, where: str) -> TwinrowError:
    if isinstance(error, NO_CREDENTIALS):
        return ConfigError("no AWS credentials found", where=where, remedy="set them by environment, profile or role")
    return Transient(f"AWS does not answer: {error}", where=where)
