"""By which credentials DynamoDB is asked: botocore's usual chain, a profile, or a role that is assumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import botocore.credentials
import botocore.exceptions
import botocore.session
import msgspec

SESSION_NAME: Final = "twinrow"
"""How CloudTrail shows requests by an assumed role."""


class Access(msgspec.Struct, frozen=True):
    """A profile of `~/.aws/config` (None: the usual chain), and a role that is assumed with it (None: none)."""

    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None


class _AssumedRole(botocore.credentials.CredentialProvider):
    """Credentials of a role, taken anew before they run out; none are asked for until the first request."""

    METHOD = "twinrow-assume-role"

    def __init__(self, access: Access, role_arn: str, region: str) -> None:
        super().__init__()
        self._access = access
        self._role_arn = role_arn
        self._region = region

    def load(self) -> Any:
        """botocore's credentials. Raises NoCredentialsError when there are none to assume the role with."""
        base = botocore.session.Session(profile=self._access.profile)
        own = base.get_credentials()
        if own is None:
            raise botocore.exceptions.NoCredentialsError
        more = {"ExternalId": self._access.external_id} if self._access.external_id is not None else {}

        def client(service: str, **how: Any) -> Any:
            return base.create_client(service, region_name=self._region, **how)

        fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
            client, own, self._role_arn, extra_args={"RoleSessionName": SESSION_NAME, **more}
        )
        refresh: Callable[[], Any] = fetcher.fetch_credentials
        return botocore.credentials.DeferredRefreshableCredentials(method=self.METHOD, refresh_using=refresh)


def session_of(access: Access, region: str) -> Any:
    """A session of botocore with these credentials; nothing is sent yet. Raises ProfileNotFound."""
    session = botocore.session.Session(profile=access.profile)
    if access.role_arn is not None:
        provider = _AssumedRole(access, access.role_arn, region)
        resolver = botocore.credentials.CredentialResolver(providers=[provider])
        session.register_component("credential_provider", resolver)
    return session
