import { ApiError, CrmError } from "./errors.js";
import { mayPass, waitMs, type Request } from "./request.js";
import { sleep, type Transport } from "./transport.js";

export interface CrmEvent {
  /** Where a later stream goes on, right after this event. */
  cursor: string;
  type: string;
  /** The envelope as it was sent, with the payload in `data.data`. */
  data: { [field: string]: unknown };
}

/** The server says something more often than this, be it only that it is there; a longer silence is a broken line. */
const SILENCE_MS = 60_000;
const PAUSE_MS = 100;

/** Reads server-sent events (WHATWG HTML, 9.2) from text as it comes. */
export class EventLines {
  lastId = "";
  retryMs: number | undefined;
  #buffer = "";
  #id = "";
  #type = "";
  #data: string[] = [];

  *feed(chunk: string): Generator<CrmEvent, void, undefined> {
    const lines = (this.#buffer + chunk).replaceAll("\r\n", "\n").split("\n");
    this.#buffer = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line);
      if (event) yield event;
    }
  }

  /** Half an event is none. */
  broken(): void {
    this.#buffer = this.#type = "";
    this.#id = this.lastId;
    this.#data = [];
  }

  #line(line: string): CrmEvent | undefined {
    if (line === "") return this.#dispatch();
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "id") this.#id = value;
    else if (name === "event") this.#type = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
    return undefined;
  }

  #dispatch(): CrmEvent | undefined {
    const [type, data] = [this.#type || "message", this.#data];
    this.lastId = this.#id;
    this.#type = "";
    this.#data = [];
    if (data.length === 0) return undefined;
    return { cursor: this.lastId, type, data: JSON.parse(data.join("\n")) as CrmEvent["data"] };
  }
}

/** The events, for ever: `for await` over it, and `break` when it is enough. Goes on after every break of the line. */
export class EventStream implements AsyncIterable<CrmEvent> {
  readonly #transport: Transport;
  readonly #request: Request;
  readonly #lines = new EventLines();

  constructor(transport: Transport, request: Request) {
    this.#transport = transport;
    this.#request = request;
  }

  /** After which event it stands. */
  get cursor(): string {
    return this.#lines.lastId;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CrmEvent, void, undefined> {
    for (let attempt = 1; ; attempt++) {
      let wait = this.#lines.retryMs ?? PAUSE_MS;
      const silence = new Silence(this.#request.timeoutMs ?? SILENCE_MS, this.#request.signal);
      try {
        const response = await this.#transport.open(this.#next(), silence.signal);
        attempt = 0;
        const decoder = new TextDecoder();
        for await (const chunk of response.body ?? []) {
          silence.heard();
          yield* this.#lines.feed(decoder.decode(chunk, { stream: true }));
        }
      } catch (error) {
        wait = this.#afterFailure(error, attempt);
      } finally {
        silence.end();
      }
      this.#lines.broken();
      await sleep(wait, this.#request.signal);
    }
  }

  #next(): Request {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.#lines.lastId) headers["last-event-id"] = this.#lines.lastId;
    return { ...this.#request, headers };
  }

  #afterFailure(error: unknown, attempt: number): number {
    this.#request.signal?.throwIfAborted();
    const refused = error instanceof ApiError;
    if (error instanceof CrmError && !(refused && mayPass(error.status, error.code, true))) throw error;
    const asked = refused && error.retryAfter !== undefined ? error.retryAfter * 1000 : undefined;
    const wait = waitMs(this.#transport.retries, Math.max(attempt, 1), asked);
    if (wait === undefined) throw error;
    return wait;
  }
}

/** Breaks a connection on which nothing has been heard for too long, or which isn't wanted any more. */
class Silence {
  readonly #broken = new AbortController();
  readonly #ms: number;
  readonly signal: AbortSignal;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number, wanted: AbortSignal | undefined) {
    this.#ms = ms;
    this.signal = wanted ? AbortSignal.any([this.#broken.signal, wanted]) : this.#broken.signal;
    this.heard();
  }

  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#broken.abort(new Error(`nothing was heard for ${this.#ms} ms`)), this.#ms);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#broken.abort();
  }
}
