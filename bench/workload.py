"""The events with which the bench invokes each function, as the function gets them in production.

Calls of the API are made from its document (`api/openapi.json`), with ids that exist. A call that writes gets an id that does not exist,
unless repeating it is harmless; an answer's status is reported with its time. Steps of the machines get the input of a real execution: they are safe to repeat.
Consumers of a table's stream get a record of it.
"""

import json
import time
import uuid
from collections.abc import Callable
from itertools import count

from boxoffice_local.console import StepFailed
from boxoffice_local.settings import ADMIN, ADMIN_PASSWORD, ROOT
from cost import Stack

Event = dict
# Called with a body that is refused before anything is read: otherwise the first would lock the ADMIN out, and the second would send every event again.
REFUSED_AT_THE_DOOR = {"change-password", "replay-events"}
# Not invoked: a walk over all tables and the function that starts it, the one that makes the first ADMIN, and the one that records a stuck booking.
UNASKED = {"reconcile", "start-reconcile", "create-admin", "record-stuck-booking"}
# Pages, which are not in the API's document: each as a visitor without a cookie gets it.
PAGES = {"show-shop": "/shop", "show-order": "/shop/orders", "admit-buyer": "/shop/session", "secure-account": "/shop/password"}
FORWARDS = ("verify-hold", "initiate-payment", "await-payment", "expire-payment", "renew-hold", "confirm-ticket")
BACKWARDS = ("revoke-admissions", "reverse-payment", "release-hold", "cancel-ticket")
PATIENCE_SECONDS, SETTLED_SECONDS = 60, 300


class Workload:
    """Things to ask about, on the running stack, and the events that ask."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.numbers = count()
        name = f"Bench {uuid.uuid4()}"
        # `hall` has the size of an evening's event; `arena` has room for everything that the bench books.
        self.hall, self.arena = stack.on_sale(name, 400), stack.on_sale(f"{name}, arena", 40_000)
        paid, declined = self.book("pm_card_visa", "CONFIRMED"), self.book("pm_card_chargeDeclined", "CANCELLED")
        payment = stack.request("GET", f"/payments/ticket/{paid}", token=stack.token)
        admin = stack.request("GET", "/users/me", token=stack.token)
        self.parameters = {
            "eventName": name, "ticketId": paid, "transactionId": payment["transactionId"], "userId": admin["id"], "username": admin["username"], "email": admin["email"],
            "role": "ADMIN", "queue": "nowhere", "file": "swagger-ui.css", "type": "EMAIL",
        }
        self.ids = {"inventory": self.hall, "tickets": paid, "payments": payment["id"], "users": admin["id"], "notifications": self.a_notification(admin["id"])}
        self.steps = self.booking_steps(paid, declined) | self.notification_steps()
        self.record, self.moved = self.stream_record(paid), self.shard_record(self.hall)
        self.calls = calls()

    def settle(self) -> None:
        """Waits until no execution runs: a booking that nobody pays keeps the stack busy until its hold is over."""
        self.until(lambda: not self.stack.is_running(), "no execution runs", SETTLED_SECONDS)

    def book(self, method: str, status: str) -> str:
        body = {"inventoryId": self.hall, "quantity": 1, "paymentMethod": "CREDIT_CARD", "paymentMethodToken": method}
        ticket = self.stack.request("POST", "/tickets", body, self.stack.token, key=str(uuid.uuid4()))["id"]
        self.until(lambda: self.stack.request("GET", f"/tickets/{ticket}", token=self.stack.token)["status"] == status, f"{ticket} is {status}")
        return ticket

    def a_notification(self, user: str) -> str:
        found: list[dict] = []

        def there() -> bool:
            found[:] = self.stack.request("GET", f"/notifications/user/{user}", token=self.stack.token)["items"]
            return bool(found)

        self.until(there, "somebody is notified")
        return found[0]["id"]

    @staticmethod
    def until(done: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise StepFailed(f"waited {seconds:g} s until {what}")
            time.sleep(0.2)

    def booking_steps(self, paid: str, declined: str) -> dict[str, Event]:
        """The input of the booking saga's steps (`statemachines/booking-saga.asl.json`): a paid booking going forwards, a declined one going backwards."""
        forwards, backwards = self.execution_about(paid, self.stack.machines[0]), self.execution_about(declined, self.stack.machines[0])
        metadata, execution = forwards["detail"]["metadata"], forwards["arn"]
        claim = {
            "eventType": metadata["eventType"], "correlationId": metadata["correlationId"], "data": forwards["detail"]["data"], "retries": 0, "executionArn": execution,
        }
        failure = {"failure": {"step": "Initiate Payment", "error": "PaymentDeclined", "cause": ""}}
        return {
            "claim-saga": claim,
            **{name: given_to(forwards) | ({"taskToken": "bench"} if name == "await-payment" else {}) for name in FORWARDS},
            **{name: given_to(backwards) | failure for name in BACKWARDS},
        }

    def notification_steps(self) -> dict[str, Event]:
        """The event that the notification queue gives its function, for a message that was already sent."""
        notification = self.stack.request("GET", f"/notifications/{self.ids['notifications']}", token=self.stack.token)
        event = self.event_called(notification["eventId"])
        now = str(int(time.time() * 1000))
        return {"send-notification": {"Records": [{
            "messageId": "bench", "receiptHandle": "bench", "body": json.dumps({"detail": event}), "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": now},
        }]}}

    def event_called(self, event_id: str) -> Event:
        """An event of the event store, whole."""
        table, start = self.stack.table("EventsTable"), {}
        while True:
            page = self.stack.aws.ask("DynamoDB_20120810.Scan", {
                "TableName": table, "FilterExpression": "contains(detail, :id)", "ExpressionAttributeValues": {":id": {"S": event_id}}, **start,
            })
            events = [json.loads(item["detail"]["S"]) for item in page["Items"]]
            if found := next((event for event in events if event["metadata"]["eventId"] == event_id), None):
                return found
            if not page.get("LastEvaluatedKey"):
                raise StepFailed(f"no event is called {event_id}")
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def execution_about(self, identifier: str, machine: str) -> Event:
        """The execution whose first result contains this id: its ARN, the event it began with, and the booking of its first step."""
        for execution in self.stack.executions()[machine]:
            history = self.stack.pages("AWSStepFunctions.GetExecutionHistory", {"executionArn": execution, "maxResults": 10}, "events", 1)
            first = next((json.loads(event["taskSucceededEventDetails"]["output"]) for event in history if event["type"] == "TaskSucceeded"), None)
            if first and identifier in json.dumps(first):
                detail = json.loads(history[0]["executionStartedEventDetails"]["input"])["detail"]
                return {"arn": execution, "detail": detail, "booking": first.get("booking")}
        raise StepFailed(f"no execution of {machine} is about {identifier}")

    def stream_record(self, ticket: str) -> Event:
        """The first event of a ticket, as the event store's stream gives it."""
        table = self.stack.table("EventsTable")
        items = self.stack.aws.ask("DynamoDB_20120810.Query", {
            "TableName": table, "KeyConditionExpression": "aggregateId = :id", "ExpressionAttributeValues": {":id": {"S": ticket}}, "Limit": 1,
        })["Items"]
        keys = {name: items[0][name] for name in ("aggregateId", "version") if name in items[0]}
        return {"Records": [{
            "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventVersion": "1.1", "awsRegion": "us-east-1",
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026-01-01T00:00:00.000",
            "dynamodb": {"Keys": keys, "NewImage": items[0], "SequenceNumber": "100", "SizeBytes": 600, "StreamViewType": "NEW_IMAGE", "ApproximateCreationDateTime": 1767225600},
        }]}

    def shard_record(self, inventory: str) -> Event:
        """A move of an event's seats, as the inventory table's stream gives it: the key of a shard."""
        keys = {"pk": {"S": f"INV#{inventory}"}, "sk": {"S": "SHARD#000"}}
        return {"Records": [{
            "eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "eventVersion": "1.1", "awsRegion": "us-east-1",
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{self.stack.table('InventoryTable')}/stream/2026-01-01T00:00:00.000",
            "dynamodb": {"Keys": keys, "SequenceNumber": "100", "SizeBytes": 60, "StreamViewType": "KEYS_ONLY", "ApproximateCreationDateTime": 1767225600},
        }]}

    def events(self, function: str, number: int) -> list[Event]:
        """So many events for this function; none when it is not asked."""
        if function in UNASKED:
            return []
        if function in ("relay-events", "project-events"):
            return [self.record] * number
        if function == "summarise-inventory":
            return [self.moved] * number
        if function == "refuse-route":
            return [event("GET", "/nowhere", {})] * number
        if function in PAGES:
            return [event("GET", PAGES[function], {})] * number
        if function == "find-upcoming-tickets":
            return [{"userId": self.parameters["userId"]}] * number
        if function == "draw-ticket-codes":
            return [{"ticketId": self.ids["tickets"]}] * number
        if function in self.calls:
            return [self.call(function) for _ in range(number)]
        return [self.steps[function]] * number if function in self.steps else []

    def call(self, function: str) -> Event:
        method, path, example, query = self.calls[function]
        if function == "get-docs":
            path = "/docs/{file}"
        reads = method == "GET"
        kind = path.split("/")[1]
        parameters = {name: self.value(name, kind, reads) for name in placeholders(path)}
        # A log-out ends its session, so each one gets a session of its own.
        token = self.stack.request("POST", "/users/login", log_in())["accessToken"] if function == "logout" else self.stack.token
        wanted = QUERY | ({"status": "RUNNING"} if function == "list-sagas" else {})
        query = {name: wanted[name] for name in query if name in wanted}
        return event(method, path, parameters, self.body(function, example), token, str(uuid.uuid4()), query)

    def value(self, name: str, kind: str, is_there: bool) -> str:
        if name == "status":
            return {"tickets": "CONFIRMED", "payments": "SUCCESS", "notifications": "SENT"}[kind]
        value = self.ids[kind] if name == "id" else self.parameters[name]
        # An id of the same form that does not exist.
        return value if is_there or "_" not in value else value[:-12] + uuid.uuid4().hex[:12]

    def body(self, function: str, example: dict | None) -> dict | None:
        number = next(self.numbers)
        match function:
            case "create-inventory":
                return example | {"eventName": f"{self.parameters['eventName']} {number}"}
            case "create-ticket":
                return {"inventoryId": self.arena, "quantity": 1}
            case "create-user":
                name = f"bench-{uuid.uuid4().hex[:16]}"
                return example | {"username": name, "email": f"{name}@bench.example"}
            case "create-notification":
                return example | {"userId": self.parameters["userId"]}
            case "login":
                return log_in()
        return {} if function in REFUSED_AT_THE_DOOR else example


def given_to(execution: Event) -> Event:
    """The input that every step of a booking gets."""
    metadata = execution["detail"]["metadata"]
    return {"booking": execution["booking"], "trace": {"correlationId": metadata["correlationId"], "causationId": metadata["eventId"]}, "retries": 0}


QUERY = {"quantity": "1", "status": "COMPLETED", "start": "2035-01-01T00:00:00Z", "end": "2036-01-01T00:00:00Z", "limit": "10"}


def log_in() -> dict[str, str]:
    return {"username": ADMIN["username"], "password": ADMIN_PASSWORD}


def placeholders(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def calls() -> dict[str, tuple[str, str, dict | None, list[str]]]:
    """Every operation of the API's document: its method, its path, the example of its body, its query."""
    document = json.loads((ROOT / "api/openapi.json").read_text())

    def resolved(value: dict) -> dict:
        while "$ref" in value:
            found = document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found
        return value

    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if "operationId" in operation:
                content = resolved(operation.get("requestBody", {})).get("content", {}).get("application/json", {})
                query = [parameter["name"] for parameter in map(resolved, operation.get("parameters", [])) if parameter["in"] == "query"]
                found[operation["operationId"]] = (method.upper(), path, content.get("example"), query)
    return found


def event(method: str, resource: str, parameters: dict[str, str], body: dict | None = None, token: str | None = None, key: str | None = None, query: dict[str, str] | None = None) -> Event:
    """A call as API Gateway hands it to a function."""
    headers = {"Accept": "*/*", "Content-Type": "application/json"}
    headers |= ({"Authorization": f"Bearer {token}"} if token else {}) | ({"Idempotency-Key": key} if key else {})
    path = resource.format(**parameters)
    return {
        "resource": resource, "path": path, "httpMethod": method, "headers": headers, "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None, "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": parameters or None, "stageVariables": None, "body": json.dumps(body) if body is not None else None, "isBase64Encoded": False,
        "requestContext": {
            "resourcePath": resource, "httpMethod": method, "path": f"/local{path}", "accountId": "000000000000",
            "stage": "local", "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "apiId": "bench", "resourceId": "bench", "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "bench"},
        },
    }
