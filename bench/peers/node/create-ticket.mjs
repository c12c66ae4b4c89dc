// `create-ticket` the usual way in Node: the AWS SDK v3, and AWS's own runtime client (aws-lambda-ric).

import { createHash, createPublicKey, randomUUID, verify } from "node:crypto";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand, QueryCommand, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const { INVENTORY_TABLE: inventory, TICKETS_TABLE: tickets, PAYMENTS_TABLE: payments, SESSIONS_TABLE: sessions, EVENTS_TABLE: events } = process.env;
const keys = JSON.parse(process.env.JWT_PUBLIC_KEYS).keys.map((key) => createPublicKey({ key, format: "jwk" }));
const shardsPerPartition = 4;

export const handler = async (event) => {
  const user = await caller(event.headers.Authorization ?? "");
  if (!user) return problem(401, "TOKEN_REVOKED");
  const key = event.headers["Idempotency-Key"];
  const { inventoryId, quantity } = JSON.parse(event.body);
  if (!key || typeof inventoryId !== "string" || !Number.isInteger(quantity) || quantity < 1) return problem(400, "INVALID_REQUEST");
  const fingerprint = createHash("sha256").update(JSON.stringify([user, inventoryId, quantity])).digest("hex");
  const { Item: used } = await client.send(new GetCommand({ TableName: tickets, Key: { pk: `KEY#${user}#${key}`, sk: "KEY" }, ConsistentRead: true }));
  if (used) {
    const { Item: ticket } = await client.send(new GetCommand({ TableName: tickets, Key: { pk: `TKT#${used.ticketId}`, sk: "TICKET" }, ConsistentRead: true }));
    return used.fingerprint === fingerprint ? answer(201, view(ticket)) : problem(422, "IDEMPOTENCY_KEY_REUSED");
  }
  let items = await partitionOf(`INV#${inventoryId}`);
  const terms = items.find((item) => item.sk === "TERMS");
  if (!terms || terms.deletedAt) return problem(404, "INVENTORY_NOT_FOUND");
  // Not every buyer to the same partition.
  const partition = Math.floor(Math.random() * Math.ceil(terms.shards / shardsPerPartition));
  if (partition > 0) items = await partitionOf(`INV#${inventoryId}#${String(partition).padStart(2, "0")}`);
  const shards = items.filter((item) => item.sk.startsWith("SHARD#") && item.available >= quantity);
  if (shards.length === 0) return problem(409, "INVENTORY_UNAVAILABLE");
  const ticket = await book(user, terms, shards[Math.floor(Math.random() * shards.length)], quantity, key, fingerprint);
  console.log(JSON.stringify({ level: "INFO", message: "request", function: "create-ticket", status: 201 }));
  return answer(201, view(ticket));
};

// The caller, if the token is one of ours and its session stands.
const caller = async (authorization) => {
  const [header, payload, signature] = authorization.replace("Bearer ", "").split(".");
  const signed = Buffer.from(`${header}.${payload}`);
  if (!keys.some((key) => verify(null, signed, key, Buffer.from(signature, "base64url")))) return undefined;
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  const { Item: access } = await client.send(new GetCommand({ TableName: sessions, Key: { pk: `USER#${claims.sub}`, sk: "ACCESS" }, ConsistentRead: true }));
  return access?.generation === claims.gen ? claims.sub : undefined;
};

const partitionOf = async (pk) => {
  const { Items } = await client.send(new QueryCommand({ TableName: inventory, KeyConditionExpression: "pk = :pk", ExpressionAttributeValues: { ":pk": pk } }));
  return Items;
};

const book = async (user, terms, shard, quantity, key, fingerprint) => {
  const ticketId = `tkt_${randomUUID().replaceAll("-", "")}`;
  const reservationId = ticketId.replace("tkt", "rsv");
  const now = new Date();
  const at = now.toISOString();
  const ticket = {
    pk: `TKT#${ticketId}`, sk: "TICKET", id: ticketId, userId: user, inventoryId: terms.id, eventName: terms.eventName, eventDate: terms.eventDate, quantity,
    priceMinor: terms.priceMinor, totalMinor: terms.priceMinor * quantity, currency: terms.currency, status: "PENDING",
    holdExpiresAt: new Date(now.getTime() + 600_000).toISOString(), version: 1, createdAt: at, updatedAt: at,
  };
  [`USER#${user}`, "ALL#0", "STATUS#PENDING#0", `EVENT#${terms.eventName}#0`].forEach((name, index) => {
    ticket[`gsi${index + 1}pk`] = name;
    ticket[`gsi${index + 1}sk`] = ticketId;
  });
  const reservation = {
    pk: `RSV#${reservationId}`, sk: "RSV", id: reservationId, ticketId, inventoryId: terms.id, eventName: terms.eventName, quantity,
    allocations: [{ shard: shard.number, seats: quantity }], state: "HELD", version: 1,
  };
  const paymentId = ticketId.replace("tkt", "pay");
  const payment = {
    pk: `PAY#${paymentId}`, sk: "PAYMENT", id: paymentId, ticketId, userId: user, amountMinor: ticket.totalMinor, currency: ticket.currency, method: "CREDIT_CARD",
    status: "PENDING", payableUntil: ticket.holdExpiresAt, version: 1, createdAt: at, updatedAt: at,
  };
  [`USER#${user}`, "ALL#0", "STATUS#PENDING#0"].forEach((name, index) => {
    payment[`gsi${index + 1}pk`] = name;
    payment[`gsi${index + 1}sk`] = paymentId;
  });
  const seats = { quantity, inventoryId: terms.id, eventName: terms.eventName, ticketId };
  const put = (TableName, Item, ConditionExpression) => ({ Put: { TableName, Item, ConditionExpression } });
  const happened = (aggregateId, eventType, data) =>
    put(events, { aggregateId, version: 1, eventType, occurredAt: at, correlationId: randomUUID(), data }, "attribute_not_exists(aggregateId)");
  await client.send(new TransactWriteCommand({
    ClientRequestToken: randomUUID(),
    TransactItems: [
      put(tickets, { pk: `KEY#${user}#${key}`, sk: "KEY", fingerprint, ticketId }, "attribute_not_exists(pk)"),
      put(tickets, ticket, "attribute_not_exists(pk)"),
      happened(ticketId, "TicketCreated", { ...seats, userId: user, totalMinor: ticket.totalMinor, currency: ticket.currency }),
      put(payments, payment, "attribute_not_exists(pk)"),
      happened(paymentId, "PaymentInitiated", { paymentId, ticketId, userId: user, amountMinor: payment.amountMinor, currency: payment.currency }),
      { Update: {
        TableName: inventory, Key: { pk: shard.pk, sk: shard.sk },
        UpdateExpression: "SET available = available - :seats, held = held + :seats ADD moves :one",
        ConditionExpression: "available >= :seats AND inventoryVersion = :terms",
        ExpressionAttributeValues: { ":seats": quantity, ":one": 1, ":terms": terms.version },
      } },
      put(inventory, reservation, "attribute_not_exists(pk)"),
      happened(reservationId, "InventoryReserved", { ...seats, reservationId }),
    ],
  }));
  return ticket;
};

const view = (ticket) => ({
  id: ticket.id, userId: ticket.userId, inventoryId: ticket.inventoryId, eventName: ticket.eventName, eventDate: ticket.eventDate, quantity: ticket.quantity,
  price: ticket.priceMinor / 100, total: ticket.totalMinor / 100, currency: ticket.currency, status: ticket.status, holdExpiresAt: ticket.holdExpiresAt,
  createdAt: ticket.createdAt, updatedAt: ticket.updatedAt,
});

const problem = (status, code) => answer(status, { code, status }, "application/problem+json");

const answer = (statusCode, body, contentType = "application/json") => ({
  statusCode, headers: { "content-type": contentType, "cache-control": "no-store" }, body: JSON.stringify(body),
});
