export { Crm } from "./client.js";
export * from "./errors.js";
export type { CrmEvent, EventStream } from "./events.js";
export type * from "./models.js";
export type { Pending, WaitOptions } from "./operations.js";
export type { Page, Pager } from "./paging.js";
export type { CallOptions, Content, GuardedOptions, Retries, State, WriteOptions } from "./request.js";
export type { CrmOptions } from "./transport.js";
