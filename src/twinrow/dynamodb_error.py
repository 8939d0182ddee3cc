"""The meaning of DynamoDB's error codes: to be tried again, withheld for a time, or refused for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twinrow.errors import Throttled, Transient, TwinrowError

THROTTLE_CODES = frozenset({
    "ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded", "ThrottlingException", "ThrottlingError",
    "Throttling", "RequestLimitExceeded", "LimitExceededException", "TooManyRequestsException",
})  # fmt: skip
TRANSIENT_CODES = frozenset({
    "InternalServerError", "InternalServerErrorException", "InternalFailure", "ServiceUnavailable",
    "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException", "TransactionInProgressException",
    "TransactionConflictException", "TransactionConflict", "ReplicatedWriteConflictException", "DuplicateItem",
})  # fmt: skip
NO_SUCH_TABLE = "ResourceNotFoundException"
WITHHELD_CODES = frozenset({
    "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException",
    "AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken",
})  # fmt: skip
"""Rights and credentials that somebody may give back; the second line is how STS names them, where a role is taken."""
REMEDIES = {
    "ResourceNotFoundException": "check the table's name, `region` and `endpoint_url` in [dynamodb]",
    "AccessDeniedException": "grant the rights that `twinrow iam-policy` prints",
    "UnrecognizedClientException": "check the AWS credentials (environment, profile or role)",
    "InvalidSignatureException": "check the AWS secret key and this machine's clock",
    "ExpiredTokenException": "renew the AWS session credentials",
    "AccessDenied": "let these credentials take the role of the profile",
    "InvalidClientTokenId": "check the AWS credentials (environment, profile or role)",
    "SignatureDoesNotMatch": "check the AWS secret key and this machine's clock",
    "ExpiredToken": "renew the AWS session credentials",
}

COMMANDS = {"AccessDeniedException": ("twinrow iam-policy",)}
"""The commands that these remedies name."""


class DynamoDBError(TwinrowError):
    """DynamoDB refused a request for good; `code` is its error code."""

    def __init__(self, code: str, what: str, *, where: str, remedy: str, commands: tuple[str, ...] = ()) -> None:
        super().__init__(what, where=where, remedy=remedy, commands=commands or COMMANDS.get(code, ()))
        self.code = code


def of_answer(answer: Mapping[str, Any], where: str) -> TwinrowError:
    """The error for an answer with an error (as botocore gives it): Throttled, Transient, or DynamoDBError."""
    code = str(answer.get("Error", {}).get("Code", ""))
    message = str(answer.get("Error", {}).get("Message", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    if code in THROTTLE_CODES:
        return Throttled(f"DynamoDB throttles ({code})", where=where)
    if code in TRANSIENT_CODES or status >= 500:
        return Transient(f"DynamoDB has trouble ({code or status}: {message})", where=where)
    return DynamoDBError(code, f"DynamoDB refuses: {code}: {message}", where=where, remedy=REMEDIES.get(code, ""))
