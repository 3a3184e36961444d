import type { OperationRead, Problem, ProblemField } from "./models.js";

// CrmError
// ├── ConnectionFailed          no answer: nobody there, or the connection broke, on every try
// │   └── TimedOut              no answer in time, on every try
// ├── OperationFailed           a long job ended without success
// └── ApiError                  the API refused; one class per status

/** Anything that went wrong. */
export class CrmError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No answer came, on any try. */
export class ConnectionFailed extends CrmError {}

/** No answer came in time, on any try. */
export class TimedOut extends ConnectionFailed {}

/** A long job ended without success. */
export class OperationFailed extends CrmError {
  constructor(readonly operation: OperationRead) {
    const why = operation.problem ? `: ${operation.problem.detail}` : "";
    super(`${operation.kind} ${operation.state}${why}`);
  }
}

/** The API refused; the problem document says why. */
export class ApiError extends CrmError {
  constructor(
    readonly problem: Problem,
    /** Seconds to wait, where the API named them. */
    readonly retryAfter: number | undefined,
  ) {
    const fields = problem.errors.map((each) => `\n  ${each.pointer}: ${each.message}`).join("");
    super(`${problem.status} ${problem.code}: ${problem.detail}${fields}`);
  }

  get status(): number {
    return this.problem.status;
  }

  /** Stable, for programs. */
  get code(): string {
    return this.problem.code;
  }

  get detail(): string {
    return this.problem.detail;
  }

  /** The fields that were refused, each with the reason. */
  get errors(): ProblemField[] {
    return this.problem.errors;
  }

  /** Quote it when asking for help. */
  get requestId(): string {
    return this.problem.request_id;
  }
}

/** 400, and other refusals without a class of their own. */
export class BadRequest extends ApiError {}
/** 401: no key, or not a valid one. */
export class Unauthenticated extends ApiError {}
/** 403: the key lacks the scope. */
export class Forbidden extends ApiError {}
/** 404. */
export class NotFound extends ApiError {}
/** 409: it clashes with the present state. */
export class Conflict extends ApiError {}
/** 410: it was there and has been erased. */
export class AlreadyGone extends ApiError {}
/** 412: it has changed since the state in `ifMatch`. */
export class PreconditionFailed extends ApiError {}
/** 413. */
export class TooLarge extends ApiError {}
/** 422: `errors` name the fields. */
export class ValidationFailed extends ApiError {}
/** 428: say in `ifMatch` which state was seen. */
export class PreconditionRequired extends ApiError {}
/** 429, on every try: come back after `retryAfter` seconds. */
export class RateLimited extends ApiError {}
/** 5xx, on every try. */
export class ServerFailed extends ApiError {}

const BY_STATUS: Record<number, typeof ApiError> = {
  401: Unauthenticated,
  403: Forbidden,
  404: NotFound,
  409: Conflict,
  410: AlreadyGone,
  412: PreconditionFailed,
  413: TooLarge,
  422: ValidationFailed,
  428: PreconditionRequired,
  429: RateLimited,
};

/** The typed error of an answer; a proxy in between may have answered with something else than a problem. */
export function errorOf(status: number, text: string, headers: Headers, retryAfter: number | undefined): ApiError {
  const kind = BY_STATUS[status] ?? (status >= 500 ? ServerFailed : BadRequest);
  return new kind(problemIn(text) ?? notAProblem(status, text, headers.get("x-request-id") ?? ""), retryAfter);
}

function problemIn(text: string): Problem | undefined {
  try {
    const told = JSON.parse(text) as Partial<Problem> | null;
    return typeof told?.code === "string" && Array.isArray(told.errors) ? (told as Problem) : undefined;
  } catch {
    return undefined;
  }
}

function notAProblem(status: number, text: string, requestId: string): Problem {
  return {
    type: "about:blank",
    title: "Not a problem document",
    status,
    detail: text.slice(0, 500) || "The answer was empty.",
    code: "not_a_problem",
    request_id: requestId,
    errors: [],
  };
}
