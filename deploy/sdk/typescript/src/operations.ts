import { OperationFailed, TimedOut } from "./errors.js";
import type { OperationRead } from "./models.js";
import type { CallOptions } from "./request.js";
import { sleep, type Transport } from "./transport.js";

export interface WaitOptions {
  /** Milliseconds to wait for the job at most. */
  withinMs?: number;
  signal?: AbortSignal;
}

const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 2_000;

/** A long job that was started. */
export class Pending {
  readonly #transport: Transport;

  constructor(
    transport: Transport,
    /** The job as it was last seen. */
    public latest: OperationRead,
  ) {
    this.#transport = transport;
  }

  get id(): string {
    return this.latest.id;
  }

  get state(): OperationRead["state"] {
    return this.latest.state;
  }

  async refresh(options: CallOptions = {}): Promise<OperationRead> {
    return (this.latest = await this.#transport.read({ method: "GET", path: `/v1/operations/${this.id}`, ...options }));
  }

  /** Asks it to stop at its next safe place. */
  async cancel(options: CallOptions = {}): Promise<OperationRead> {
    const path = `/v1/operations/${this.id}/cancel`;
    return (this.latest = await this.#transport.read({ method: "POST", path, ...options }));
  }

  /** Waits for success. Throws `OperationFailed`, or `TimedOut` while the job goes on. */
  async wait({ withinMs = Infinity, signal }: WaitOptions = {}): Promise<OperationRead> {
    const started = Date.now();
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 1.5, LONGEST_LOOK_MS)) {
      const seen = await this.refresh(signal ? { signal } : {});
      if (seen.finished_at !== null) {
        if (seen.state !== "succeeded") throw new OperationFailed(seen);
        return seen;
      }
      if (Date.now() - started + pause > withinMs) {
        throw new TimedOut(`${seen.kind} ${seen.id} goes on: ${seen.done} of ${seen.total ?? "?"} done`);
      }
      await sleep(pause, signal);
    }
  }
}
