/** What is sent as a file: text, or bytes. */
export type Content = string | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** Which state was seen: the object as it was read, its version, or an ETag. */
export type State = { version: number } | number | string;

export interface CallOptions {
  /** Gives up waiting for the answer, and for another try. */
  signal?: AbortSignal;
  /** Milliseconds for each try. */
  timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
  /** Made for you; give one to repeat a call of another process. */
  idempotencyKey?: string;
}

export interface GuardedOptions extends WriteOptions {
  /** The object as it was read, or its version: 412 if it has changed since. */
  ifMatch: State;
}

/** Waits double from try to try, each shortened by chance so that clients don't come back together. */
export interface Retries {
  attempts: number;
  firstWaitMs: number;
  longestWaitMs: number;
  /** A server that asks for a longer wait than this gets no further try; the error says how long. */
  longestAskedMs: number;
}

export const RETRIES: Retries = { attempts: 4, firstWaitMs: 500, longestWaitMs: 8_000, longestAskedMs: 60_000 };

export interface Request extends Partial<GuardedOptions> {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: object;
  body?: unknown;
  contentType?: string;
  /** Whether it may be sent twice: it changes nothing, changes the same thing twice, or is known by its key. */
  repeatable?: boolean;
  headers?: Record<string, string>;
}

export function etag(state: State): string {
  if (typeof state === "string") return state;
  return `"${typeof state === "number" ? state : state.version}"`;
}

export function queryOf(query: object): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query) as [string, unknown][]) {
    for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (each !== undefined && each !== null) pairs.append(name, String(each));
    }
  }
  const text = pairs.toString();
  return text && `?${text}`;
}

/** How long to wait after the `attempt`-th try, counted from 1; undefined when it was the last. */
export function waitMs(retries: Retries, attempt: number, askedMs: number | undefined): number | undefined {
  if (attempt >= retries.attempts) return undefined;
  const longest = Math.min(retries.longestWaitMs, retries.firstWaitMs * 2 ** (attempt - 1));
  const chance = longest / 2 + (Math.random() * longest) / 2;
  if (askedMs === undefined) return chance;
  return askedMs > retries.longestAskedMs ? undefined : askedMs + chance / 10;
}

/**
 * Whether the same request may succeed later. A request whose connection broke may still be at work when it comes
 * again; its key tells, and its answer follows.
 */
export function mayPass(status: number, code: string, repeatable: boolean): boolean {
  if (!repeatable) return status === 429;
  return [429, 502, 503, 504].includes(status) || (status === 409 && code === "request_in_flight");
}

/** `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3). */
export function askedMs(headers: Headers): number | undefined {
  const told = headers.get("retry-after")?.trim();
  if (!told) return undefined;
  if (/^[0-9]+$/.test(told)) return Number(told) * 1000;
  const until = Date.parse(told);
  return Number.isNaN(until) ? undefined : Math.max(0, until - Date.now());
}
