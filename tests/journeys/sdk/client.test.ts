// The TypeScript client, used as a program would use it, against the running suite and over a bad line.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";

import {
  ConnectionFailed,
  Crm,
  NotFound,
  OperationFailed,
  PreconditionFailed,
  RateLimited,
  ServerFailed,
  TimedOut,
  Unauthenticated,
  ValidationFailed,
  type CrmEvent,
  type CustomerRead,
} from "corkscrew-crm";

interface Seen {
  path: string;
  headers: Record<string, string>;
  body: string;
}

const between = process.env["BETWEEN"] ?? "";
const crm = new Crm();
const overABadLine = new Crm({ url: between, retries: { firstWaitMs: 20 } });

async function next(...faults: string[]): Promise<void> {
  await fetch(`${between}/_between`, { method: "POST", body: JSON.stringify(faults) });
}

async function seen(): Promise<Seen[]> {
  return (await (await fetch(`${between}/_between`)).json()) as Seen[];
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function inCountry(country: string, count: number): Promise<string[]> {
  const made = await crm.customers.bulk({
    items: Array.from({ length: count }, (_, n) => ({ given_name: `Nr ${n}`, country })),
  });
  return made.items.map((item) => item.id ?? "").sort();
}

test("a list goes on over all its pages, and some of it asks for no more", async () => {
  const made = await inCountry("LI", 5);
  const list = overABadLine.customers.list({ country: "LI", page_size: 2 });
  await next();
  assert.deepEqual((await all(list)).map((customer) => customer.id).sort(), made);
  assert.equal((await seen()).length, 3);
  assert.deepEqual((await all(list.pages())).map((page) => page.items.length), [2, 2, 1]);
  await next();
  assert.equal((await list.take(3)).length, 3);
  assert.deepEqual((await seen()).map((each) => each.path), ["/v1/customers?limit=3&country=LI"]);
});

for (const fault of ["busy", "cut", "lose"]) {
  test(`a write that failed on its way (${fault}) is done once`, async () => {
    const name = randomUUID();
    await next(fault, fault);
    const made = await overABadLine.customers.register({ display_name: name, kind: "organisation" });
    const tries = await seen();
    assert.equal(tries.length, 3);
    assert.equal(new Set(tries.map((each) => each.headers["idempotency-key"])).size, 1);
    assert.deepEqual((await all(crm.customers.list({ name }))).map((each) => each.id), [made.id]);
  });
}

test("what has no key is not sent twice", async () => {
  await next("cut");
  const asked = overABadLine.sessions.begin({ tenant: "nobody", email: "a@example.com", password: "not this one" });
  await assert.rejects(asked, ConnectionFailed);
  assert.equal((await seen()).length, 1);
});

test("after the last try the reason is thrown", async () => {
  await next("busy", "busy", "busy", "busy");
  await assert.rejects(overABadLine.me.get(), ServerFailed);
  await next("cut", "cut", "cut", "cut");
  await assert.rejects(overABadLine.me.get(), /tries: 4/);
});

test("a server that asks for a long wait is left alone", async () => {
  await next("slow down");
  await assert.rejects(overABadLine.me.get(), (error) => error instanceof RateLimited && error.retryAfter === 3600);
  assert.equal((await seen()).length, 1);
});

test("an answer that doesn't come is given up in time, or when told", async () => {
  await next("hang", "hang", "hang");
  const impatient = new Crm({ url: between, timeoutMs: 100, retries: { attempts: 2, firstWaitMs: 10 } });
  await assert.rejects(impatient.me.get(), TimedOut);
  const reason = new Error("not wanted any more");
  const stop = new AbortController();
  const asked = overABadLine.me.get({ signal: stop.signal });
  stop.abort(reason);
  await assert.rejects(asked, reason);
});

test("problems are classes that say what the API said", async () => {
  await assert.rejects(crm.customers.get("cus_064gkndciprknf6emc10j6k0as"), NotFound);
  await assert.rejects(
    crm.customers.register({ given_name: "Grace", country: "Germany" }),
    (error) => error instanceof ValidationFailed && error.errors[0]?.pointer === "/country",
  );
  const grace = await crm.customers.register({ given_name: "Grace" });
  await crm.customers.update(grace.id, { language: "en" }, { ifMatch: grace });
  await assert.rejects(crm.customers.update(grace.id, { language: "de" }, { ifMatch: grace }), PreconditionFailed);
  await assert.rejects(new Crm({ apiKey: "nobody's" }).me.get(), Unauthenticated);
});

test("a word and a field of a later version are kept", async () => {
  const grace = await crm.customers.register({ given_name: "Grace" });
  await next("newer");
  const later: CustomerRead = await overABadLine.customers.get(grace.id);
  const status: "active" | "merged" | (string & {}) = later.status;
  assert.equal(status, "dormant");
  assert.deepEqual((later as CustomerRead & { mood?: unknown }).mood, { of: "the day" });
});

test("a job is waited for, and says why it failed", async () => {
  const csv = "external_id,given_name,country\n1,Ada,MT\n";
  const done = await (await crm.customerImports.start(csv, "text/csv", { source: "list" })).wait();
  assert.equal(done.state, "succeeded");
  assert.equal((await all(crm.customers.list({ country: "MT" }))).length, 1);
  await next("pass", "failed job");
  await assert.rejects((await overABadLine.customers.republish()).wait(), OperationFailed);
});

test("what happens is followed from where a page ended", async () => {
  const pages = await all(crm.events.list({ types: "crm.customer.*" }).pages());
  const cursor = pages.at(-1)?.resume ?? "";
  const shown = new Set(pages.flatMap((page) => page.items.map((event) => event.id)));
  const grace = await crm.customers.register({ given_name: "Grace" });
  for await (const event of crm.events.stream({ types: "crm.customer.registered.v1", cursor })) {
    assert.ok(!shown.has(String(event.data["id"])));
    if (event.data["subject"] === grace.id) break; // others may have been on their way while the pages were read
  }
});

test("a broken stream goes on after the last whole event", async () => {
  await next("events", "busy", "events");
  const found: CrmEvent[] = [];
  for await (const event of overABadLine.events.stream()) {
    if (found.push(event) === 4) break;
  }
  assert.deepEqual(found.map((event) => event.cursor), ["1", "2", "3", "4"]);
  assert.deepEqual(found[3]?.data, { data: { number: 4 }, line: "a\u2028b" });
  assert.deepEqual((await seen()).map((each) => each.headers["last-event-id"]), [undefined, "2", "2"]);
});

test("money is text that no binary fraction rounds, and its type says so", async () => {
  const grace = await crm.customers.register({ given_name: "Grace" });
  const amount = { amount: "12.30", currency: "EUR" };
  const deal = await crm.deals.open({ customer_id: grace.id, name: "Compilers", amount });
  assert.equal(deal.amount?.currency, "EUR");
  assert.equal(Number(deal.amount?.amount), 12.3);
  // @ts-expect-error: a number would have been rounded before it got here
  await assert.rejects(crm.deals.update(deal.id, { amount: { amount: 12.3, currency: "EUR" } }), ValidationFailed);
});
