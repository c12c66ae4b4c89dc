"""`create-ticket` the usual way in Python: boto3, and AWS's own runtime client (awslambdaric)."""

import base64
import hashlib
import json
import os
import random
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Key

dynamodb = boto3.resource("dynamodb")
inventory = dynamodb.Table(os.environ["INVENTORY_TABLE"])
tickets = dynamodb.Table(os.environ["TICKETS_TABLE"])
sessions = dynamodb.Table(os.environ["SESSIONS_TABLE"])
PAYMENTS, EVENTS = os.environ["PAYMENTS_TABLE"], os.environ["EVENTS_TABLE"]
SHARDS_PER_PARTITION = 4


def handler(event, _context):
    user = caller(event["headers"].get("Authorization", ""))
    if user is None:
        return problem(401, "TOKEN_REVOKED")
    key = event["headers"].get("Idempotency-Key")
    order = json.loads(event["body"])
    inventory_id, quantity = order.get("inventoryId"), order.get("quantity")
    if not key or not isinstance(inventory_id, str) or not isinstance(quantity, int) or quantity < 1:
        return problem(400, "INVALID_REQUEST")
    fingerprint = hashlib.sha256(json.dumps([user, inventory_id, quantity]).encode()).hexdigest()
    if used := tickets.get_item(Key={"pk": f"KEY#{user}#{key}", "sk": "KEY"}, ConsistentRead=True).get("Item"):
        ticket = tickets.get_item(Key={"pk": f"TKT#{used['ticketId']}", "sk": "TICKET"}, ConsistentRead=True)["Item"]
        return answer(201, view(ticket)) if used["fingerprint"] == fingerprint else problem(422, "IDEMPOTENCY_KEY_REUSED")
    items = inventory.query(KeyConditionExpression=Key("pk").eq(f"INV#{inventory_id}"))["Items"]
    terms = next((item for item in items if item["sk"] == "TERMS"), None)
    if terms is None or "deletedAt" in terms:
        return problem(404, "INVENTORY_NOT_FOUND")
    # Spreads buyers over the partitions.
    if partition := random.randrange(-(-int(terms["shards"]) // SHARDS_PER_PARTITION)):
        items = inventory.query(KeyConditionExpression=Key("pk").eq(f"INV#{inventory_id}#{partition:02}"))["Items"]
    shards = [item for item in items if item["sk"].startswith("SHARD#") and item["available"] >= quantity]
    if not shards:
        return problem(409, "INVENTORY_UNAVAILABLE")
    ticket = book(user, terms, random.choice(shards), quantity, key, fingerprint)
    print(json.dumps({"level": "INFO", "message": "request", "function": "create-ticket", "status": 201}))
    return answer(201, view(ticket))


def caller(authorization):
    """The token's user, if their session is valid. The signature is not checked: that would take one more package."""
    payload = authorization.removeprefix("Bearer ").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    access = sessions.get_item(Key={"pk": f"USER#{claims['sub']}", "sk": "ACCESS"}, ConsistentRead=True).get("Item")
    return claims["sub"] if access and access["generation"] == claims["gen"] else None


def book(user, terms, shard, quantity, key, fingerprint):
    ticket_id, now = f"tkt_{uuid.uuid4().hex}", datetime.now(timezone.utc)
    reservation_id = ticket_id.replace("tkt", "rsv")
    at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ticket = {
        "pk": f"TKT#{ticket_id}", "sk": "TICKET", "id": ticket_id, "userId": user, "inventoryId": terms["id"], "eventName": terms["eventName"], "eventDate": terms["eventDate"],
        "quantity": quantity, "priceMinor": terms["priceMinor"], "totalMinor": terms["priceMinor"] * quantity, "currency": terms["currency"], "status": "PENDING",
        "holdExpiresAt": (now + timedelta(minutes=10)).isoformat(timespec="milliseconds").replace("+00:00", "Z"), "version": 1, "createdAt": at, "updatedAt": at,
    }
    for number, name in enumerate((f"USER#{user}", "ALL#0", "STATUS#PENDING#0", f"EVENT#{terms['eventName']}#0"), 1):
        ticket |= {f"gsi{number}pk": name, f"gsi{number}sk": ticket_id}
    reservation = {
        "pk": f"RSV#{reservation_id}", "sk": "RSV", "id": reservation_id, "ticketId": ticket_id, "inventoryId": terms["id"], "eventName": terms["eventName"],
        "quantity": quantity, "allocations": [{"shard": shard["number"], "seats": quantity}], "state": "HELD", "version": 1,
    }
    payment_id = ticket_id.replace("tkt", "pay")
    payment = {
        "pk": f"PAY#{payment_id}", "sk": "PAYMENT", "id": payment_id, "ticketId": ticket_id, "userId": user, "amountMinor": ticket["totalMinor"], "currency": ticket["currency"],
        "method": "CREDIT_CARD", "status": "PENDING", "payableUntil": ticket["holdExpiresAt"], "version": 1, "createdAt": at, "updatedAt": at,
    }
    for number, name in enumerate((f"USER#{user}", "ALL#0", "STATUS#PENDING#0"), 1):
        payment |= {f"gsi{number}pk": name, f"gsi{number}sk": payment_id}
    seats = {"quantity": quantity, "inventoryId": terms["id"], "eventName": terms["eventName"], "ticketId": ticket_id}

    def put(table, item, condition=None):
        return {"Put": {"TableName": table, "Item": item} | ({"ConditionExpression": condition} if condition else {})}

    def happened(aggregate, kind, data):
        return put(EVENTS, {"aggregateId": aggregate, "version": 1, "eventType": kind, "occurredAt": at, "correlationId": str(uuid.uuid4()), "data": data}, "attribute_not_exists(aggregateId)")

    dynamodb.meta.client.transact_write_items(ClientRequestToken=str(uuid.uuid4()), TransactItems=[
        put(tickets.name, {"pk": f"KEY#{user}#{key}", "sk": "KEY", "fingerprint": fingerprint, "ticketId": ticket_id}, "attribute_not_exists(pk)"),
        put(tickets.name, ticket, "attribute_not_exists(pk)"),
        happened(ticket_id, "TicketCreated", seats | {"userId": user, "totalMinor": ticket["totalMinor"], "currency": ticket["currency"]}),
        put(PAYMENTS, payment, "attribute_not_exists(pk)"),
        happened(payment_id, "PaymentInitiated", {"paymentId": payment_id, "ticketId": ticket_id, "userId": user, "amountMinor": payment["amountMinor"], "currency": payment["currency"]}),
        {"Update": {
            "TableName": inventory.name, "Key": {"pk": shard["pk"], "sk": shard["sk"]},
            "UpdateExpression": "SET available = available - :seats, held = held + :seats ADD moves :one",
            "ConditionExpression": "available >= :seats AND inventoryVersion = :terms",
            "ExpressionAttributeValues": {":seats": quantity, ":one": 1, ":terms": terms["version"]},
        }},
        put(inventory.name, reservation, "attribute_not_exists(pk)"),
        happened(reservation_id, "InventoryReserved", seats | {"reservationId": reservation_id}),
    ])
    return ticket


def view(ticket):
    return {
        "id": ticket["id"], "userId": ticket["userId"], "inventoryId": ticket["inventoryId"], "eventName": ticket["eventName"], "eventDate": ticket["eventDate"],
        "quantity": int(ticket["quantity"]), "price": float(Decimal(ticket["priceMinor"]) / 100), "total": float(Decimal(ticket["totalMinor"]) / 100),
        "currency": ticket["currency"], "status": ticket["status"], "holdExpiresAt": ticket["holdExpiresAt"], "createdAt": ticket["createdAt"],
        "updatedAt": ticket["updatedAt"],
    }


def problem(status, code):
    return answer(status, {"code": code, "status": status}, "application/problem+json")


def answer(status, body, content_type="application/json"):
    return {"statusCode": status, "headers": {"content-type": content_type, "cache-control": "no-store"}, "body": json.dumps(body)}
