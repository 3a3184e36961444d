/** One page of a list. */
export interface Page<T> {
  items: T[];
  /** Where another `list({ cursor })` goes on. */
  next_cursor: string | null;
}

const LARGEST_PAGE = 200;

/** A list: `for await` over it for all items, page after page; each iteration asks anew. */
export class Pager<T, P extends Page<T> = Page<T>> implements AsyncIterable<T> {
  readonly #fetch: (turn: { cursor?: string; limit?: number }) => Promise<P>;

  constructor(fetch: (turn: { cursor?: string; limit?: number }) => Promise<P>) {
    this.#fetch = fetch;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.pages()) yield* page.items;
  }

  async *pages(): AsyncGenerator<P, void, undefined> {
    let page = await this.#fetch({});
    yield page;
    while (page.next_cursor !== null) {
      page = await this.#fetch({ cursor: page.next_cursor });
      yield page;
    }
  }

  /** The first `count` items at most, with as few requests as can be. */
  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    let cursor: string | null | undefined;
    while (taken.length < count && cursor !== null) {
      const limit = Math.min(count - taken.length, LARGEST_PAGE);
      const page: P = await this.#fetch(cursor === undefined ? { limit } : { cursor, limit });
      taken.push(...page.items);
      cursor = page.next_cursor;
    }
    return taken;
  }
}
