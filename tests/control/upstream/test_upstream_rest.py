"""All operations of a service are read from method, path, query string and headers as botocore writes them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.serialize import create_serializer

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.inventory.objects import model
from halfsilver.harness.control.upstream.asked import ask, service_of

AS_ANOTHER = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
"""In the same place as another one, of which they are the former name; or of another endpoint."""
SERVICES = ("s3", "s3control", "lambda", "mq", "route53", "apigateway", "apigatewayv2", "sesv2")
VALUES: dict[str, Any] = {"integer": 1, "long": 1, "boolean": True, "blob": b"x", "timestamp": 0, "map": {}}


def least(shape: Any) -> Any:
    """A value with what must be there."""
    if shape.type_name == "structure":
        return {name: least(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [least(shape.member)]
    return VALUES.get(shape.type_name, (getattr(shape, "enum", None) or ["name"])[0])


@pytest.mark.parametrize("service", SERVICES)
def test_what_botocore_writes_is_what_is_read(service: str) -> None:
    described = model(service)
    serializer = create_serializer(described.metadata["protocol"], include_validation=False)
    for name in described.operation_names:
        operation = described.operation_model(name)
        written = serializer.serialize_to_request(
            least(operation.input_shape) if operation.input_shape else {}, operation
        )
        path, _, fixed = written["url_path"].partition("?")
        query = "&".join(each for each in (fixed, urlencode(written["query_string"], doseq=True)) if each)
        headers = tuple((key.lower(), str(value)) for key, value in written["headers"].items())
        assert service_of(described.signing_name, path) == service
        found = ask(service, Request(operation.http["method"], path, query, headers))
        assert found.operation == AS_ANOTHER.get(name, name)


def test_a_service_beside_another_is_not_hidden_by_encoding_its_path() -> None:
    """moto looks at the path decoded; policies must be asked about what it does."""
    assert service_of("s3", "/%7620180820/configuration/publicAccessBlock") == "s3control"
    assert service_of("s3", "/v20180820") == "s3"
