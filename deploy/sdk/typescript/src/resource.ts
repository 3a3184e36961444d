import { EventStream } from "./events.js";
import type { OperationRead } from "./models.js";
import { Pending } from "./operations.js";
import { Pager, type Page } from "./paging.js";
import type { Request } from "./request.js";
import type { Transport } from "./transport.js";

/** A value as one piece of a path. */
export function segment(value: string | number): string {
  return encodeURIComponent(value);
}

/** One attribute of `Crm`: what the generated methods call. */
export class Resource {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  protected _read<T>(request: Request): Promise<T> {
    return this.#transport.read<T>(request);
  }

  protected async _start(request: Request): Promise<Pending> {
    return new Pending(this.#transport, await this.#transport.read<OperationRead>(request));
  }

  protected async _text(request: Request): Promise<string> {
    return (await this.#transport.send(request)).text;
  }

  protected async _where(request: Request): Promise<string> {
    return (await this.#transport.send(request)).response.headers.get("location") ?? "";
  }

  protected async _done(request: Request): Promise<void> {
    await this.#transport.send(request);
  }

  protected _list<T, P extends Page<T>>(request: Request): Pager<T, P> {
    const { page_size: limit, ...rest } = (request.query ?? {}) as { page_size?: number };
    return new Pager((turn) => this.#transport.read({ ...request, query: { limit, ...rest, ...turn } }));
  }

  protected _events(request: Request): EventStream {
    return new EventStream(this.#transport, request);
  }
}
