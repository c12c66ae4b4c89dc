// `get-inventory` the usual way in Node: the AWS SDK v3, and AWS's own runtime client (aws-lambda-ric).

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, QueryCommand } from "@aws-sdk/lib-dynamodb";

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}));

export const handler = async (event) => {
  const id = event.pathParameters.id;
  const { Items: items } = await client.send(new QueryCommand({
    TableName: process.env.INVENTORY_TABLE,
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": `INV#${id}` },
    ConsistentRead: true,
  }));
  const terms = items.find((item) => item.sk === "TERMS");
  if (!terms || terms.deletedAt) {
    return answer(404, { code: "INVENTORY_NOT_FOUND", status: 404, title: "No such event on sale" }, "application/problem+json");
  }
  const shards = items.filter((item) => item.sk.startsWith("SHARD#"));
  const sum = (name) => shards.reduce((total, shard) => total + shard[name], 0);
  console.log(JSON.stringify({ level: "INFO", message: "request", function: "get-inventory", status: 200 }));
  return answer(200, {
    id, eventName: terms.eventName, eventDate: terms.eventDate, totalSeats: terms.totalSeats,
    availableSeats: sum("available"), heldSeats: sum("held"), soldSeats: sum("sold"),
    price: terms.priceMinor / 100, currency: terms.currency, location: terms.location,
    version: terms.version, createdAt: terms.createdAt, updatedAt: terms.updatedAt,
  });
};

const answer = (statusCode, body, contentType = "application/json") => ({
  statusCode, headers: { "content-type": contentType, "cache-control": "public, max-age=2" }, body: JSON.stringify(body),
});
