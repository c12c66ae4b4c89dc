"""`get-inventory` the usual way in Python: boto3, and AWS's own runtime client (awslambdaric)."""

import json
import os
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Key

table = boto3.resource("dynamodb").Table(os.environ["INVENTORY_TABLE"])


def handler(event, _context):
    inventory_id = event["pathParameters"]["id"]
    items = table.query(KeyConditionExpression=Key("pk").eq(f"INV#{inventory_id}"), ConsistentRead=True)["Items"]
    terms = next((item for item in items if item["sk"] == "TERMS"), None)
    if terms is None or "deletedAt" in terms:
        return answer(404, {"code": "INVENTORY_NOT_FOUND", "status": 404, "title": "No such event on sale"}, "application/problem+json")
    shards = [item for item in items if item["sk"].startswith("SHARD#")]
    seats = {name: sum(int(shard[name]) for shard in shards) for name in ("available", "held", "sold")}
    print(json.dumps({"level": "INFO", "message": "request", "function": "get-inventory", "status": 200}))
    return answer(200, {
        "id": inventory_id, "eventName": terms["eventName"], "eventDate": terms["eventDate"],
        "totalSeats": int(terms["totalSeats"]), "availableSeats": seats["available"], "heldSeats": seats["held"], "soldSeats": seats["sold"],
        "price": float(Decimal(terms["priceMinor"]) / 100), "currency": terms["currency"], "location": terms["location"],
        "version": int(terms["version"]), "createdAt": terms["createdAt"], "updatedAt": terms["updatedAt"],
    })


def answer(status, body, content_type="application/json"):
    return {"statusCode": status, "headers": {"content-type": content_type, "cache-control": "public, max-age=2"}, "body": json.dumps(body)}
