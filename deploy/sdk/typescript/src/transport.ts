import { ConnectionFailed, CrmError, errorOf, TimedOut } from "./errors.js";
import { askedMs, etag, mayPass, queryOf, RETRIES, waitMs, type Request, type Retries } from "./request.js";

export interface CrmOptions {
  /** An API key, or a session's token; else `CRM_API_KEY`. */
  apiKey?: string;
  /** Where the API is; else `CRM_URL`, else where `make run` listens. */
  url?: string;
  /** Milliseconds for each try; 30,000 if not given. */
  timeoutMs?: number;
  retries?: Partial<Retries>;
  /** Another `fetch`, for proxies and tests. */
  fetch?: typeof fetch;
}

const HERE = "http://127.0.0.1:8080";

/** Sends requests, again where that may help. */
export class Transport {
  readonly retries: Retries;
  readonly #url: string;
  readonly #key: string | undefined;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;

  constructor(options: CrmOptions) {
    this.#url = (options.url ?? fromEnvironment("CRM_URL") ?? HERE).replace(/\/+$/, "");
    this.#key = options.apiKey ?? fromEnvironment("CRM_API_KEY");
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.retries = { ...RETRIES, ...options.retries };
    this.#fetch = options.fetch ?? fetch.bind(globalThis);
  }

  /** The answer, read whole. */
  async send(request: Request): Promise<{ response: Response; text: string }> {
    const ready = this.#prepare(request);
    for (let attempt = 1; ; attempt++) {
      const tried = await this.#try(request, ready, attempt);
      if (typeof tried !== "number") return tried;
      await sleep(tried, request.signal);
    }
  }

  async read<T>(request: Request): Promise<T> {
    const { response, text } = await this.send(request);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new CrmError(`${response.url} answered with something else than JSON`, { cause });
    }
  }

  /** One connection, whose answer is read by the caller as it comes; refusals are thrown. */
  async open(request: Request, signal: AbortSignal): Promise<Response> {
    const { url, init } = this.#prepare(request);
    const response = await this.#fetch(url, { ...init, signal });
    if (response.status < 400) return response;
    throw refusal(response, await response.text());
  }

  /** Made once, so every try carries the same idempotency key. */
  #prepare(request: Request): { url: string; init: RequestInit } {
    const headers: Record<string, string> = { accept: "application/json", ...request.headers };
    if (this.#key) headers["authorization"] = `Bearer ${this.#key}`;
    if (request.method !== "GET") headers["idempotency-key"] = request.idempotencyKey ?? crypto.randomUUID();
    if (request.ifMatch !== undefined) headers["if-match"] = etag(request.ifMatch);
    const init: RequestInit = { method: request.method, headers, redirect: "manual" };
    if (request.body !== undefined) {
      headers["content-type"] = request.contentType ?? "application/json";
      init.body = request.contentType ? (request.body as BodyInit) : JSON.stringify(request.body);
    }
    return { url: this.#url + request.path + queryOf(request.query ?? {}), init };
  }

  /** The answer, or how long to wait for the next try. */
  async #try(request: Request, { url, init }: { url: string; init: RequestInit }, attempt: number) {
    const repeatable = request.repeatable ?? true;
    const deadline = AbortSignal.timeout(request.timeoutMs ?? this.#timeoutMs);
    const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline;
    try {
      const response = await this.#fetch(url, { ...init, signal });
      const text = await response.text();
      if (response.status < 400) return { response, text };
      const error = refusal(response, text);
      const wait = mayPass(error.status, error.code, repeatable)
        ? waitMs(this.retries, attempt, askedMs(response.headers))
        : undefined;
      if (wait === undefined) throw error;
      return wait;
    } catch (cause) {
      if (cause instanceof CrmError) throw cause;
      request.signal?.throwIfAborted();
      const wait = repeatable ? waitMs(this.retries, attempt, undefined) : undefined;
      if (wait !== undefined) return wait;
      const kind = deadline.aborted ? TimedOut : ConnectionFailed;
      throw new kind(`${request.method} ${url}: ${told(cause)} (tries: ${attempt})`, { cause });
    }
  }
}

function refusal(response: Response, text: string) {
  const asked = askedMs(response.headers);
  return errorOf(response.status, text, response.headers, asked === undefined ? undefined : asked / 1000);
}

/** What `fetch` says is "fetch failed"; why, it keeps in the cause. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** Waits, unless told to stop. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Browsers have no environment. */
function fromEnvironment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env: Record<string, string | undefined> } };
  return process?.env[name] || undefined;
}
