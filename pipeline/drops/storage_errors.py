"""Errors of object storage: which are transient and retried, and their sentences."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.wording.text import visible
from pipeline.load.refusal import one_line

_TRANSIENT = frozenset(
    [
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "TooManyRequests",
        "ServiceUnavailable",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeoutException",
    ]
)
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "NoAuthTokenError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "SSOError",
    "UnauthorizedSSOTokenError",
    "SSOTokenLoadError",
)
_REFUSED_CREDENTIALS = frozenset(
    [
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
    ]
)
_OTHER_REGION = frozenset(
    ["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "301", "307"]
)


class StorageError(Exception):
    """A call failed after its retries. Callers turn it into a DropError or a fault.

    Attributes:
        code: of the response (`AccessDenied`), or the name of the error if there was none.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def failure(error: BaseException, attempts: int) -> str:
    """Why a call failed, as the end of a sentence without its full stop."""
    code, kinds = code_of(error), {kind.__name__ for kind in type(error).__mro__}
    if kinds & set(_NO_CREDENTIALS):
        return (
            "no credentials were found; set them in one of the ways of AWS (environment, "
            f"profile or role), see docs/object-storage.md ({one_line(error)})"
        )
    if code == "NoSuchBucket":
        return "there is no such bucket at this endpoint"
    if code in _REFUSED_CREDENTIALS:
        return f"the credentials are refused ({code}); renew them, or use others"
    if code in _OTHER_REGION:
        region = _region(error)
        suffix = f" ({region})" if region else ""
        return f"the bucket lies in another region{suffix}; set AWS_DEFAULT_REGION to it"
    if code in ("AccessDenied", "AllAccessDisabled", "Forbidden", "403"):
        return "access is denied; see docs/object-storage.md for the permissions needed"
    if code == "InvalidObjectState":
        return "it is archived and must be restored before it can be read"
    if code in ("NoSuchKey", "404"):
        return "it is not there; it may have been moved or deleted meanwhile"
    if code == "RequestTimeTooSkewed":
        return "this machine's clock is wrong; set it"
    times = f" in {attempts} attempts" if attempts > 1 else ""
    if kinds & {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"}:
        return f"the endpoint can't be reached{times} ({one_line(error)})"
    if transient(error):
        return f"it can't be had{times} ({code}: {_message(error)})"
    return f"{code}: {_message(error)}"


def code_of(error: BaseException) -> str:
    """The error code of a response, or the name of the error's class."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        code = response.get("Error", {}).get("Code")
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return visible(str(code or status or type(error).__name__))
    return type(error).__name__


def transient(error: BaseException) -> bool:
    """Whether to retry: throttling, errors of the service (5xx), lost connections, timeouts."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping) and "Error" in response:
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
        return code_of(error) in _TRANSIENT or status == 429 or status >= 500
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"SSLError", "InvalidProxiesConfigError"}:
        return False
    # By name, since botocore and aiohttp need not be installed.
    return bool(
        kinds
        & {
            "HTTPClientError",
            "ConnectionError",
            "EndpointConnectionError",
            "ConnectTimeoutError",
            "ProxyConnectionError",
            "IncompleteReadError",
            "ResponseParserError",
            "ClientError",
            "ClientPayloadError",
            "ClientConnectionError",
        }
    )


def is_local(error: BaseException) -> bool:
    """Whether a file on this machine failed, and not the network."""
    return isinstance(error, OSError) and type(error).__module__ == "builtins"


def _region(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return ""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region") or ""
    return visible(str(region))


def _message(error: BaseException) -> str:
    response = getattr(error, "response", None)
    message = response.get("Error", {}).get("Message") if isinstance(response, Mapping) else None
    return one_line(Exception(message)) if message else one_line(error)
