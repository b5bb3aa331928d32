/** An error of any status in vLLM's body: what tests of an application ask for, and no server of ours meets. */
import { STATUS_CODES } from "node:http";
import { ApiError, type ErrorBody, type ErrorDetails } from "./errors.ts";

/** As vLLM names them; it calls all others by their status' phrase. */
const TYPES: Readonly<Record<number, string>> = {
  400: "BadRequestError",
  404: "NotFoundError",
  500: "InternalServerError",
  501: "NotImplementedError",
  503: "ServiceUnavailableError",
};

/** Whoever gets one of these is told when to come again. */
const COME_AGAIN = [429, 503];

export class StatusError extends ApiError {
  readonly #status: number;
  readonly #type: string;

  constructor(
    status: number,
    message: string,
    { type, ...details }: ErrorDetails & { readonly type?: string } = {},
  ) {
    super("asked-for", message, {
      ...details,
      ...(COME_AGAIN.includes(status) && { retryAfterSeconds: details.retryAfterSeconds ?? 1 }),
    });
    this.#status = status;
    this.#type = type ?? TYPES[status] ?? STATUS_CODES[status] ?? "Error";
  }

  override get status(): number {
    return this.#status;
  }

  override get body(): ErrorBody {
    const { error } = super.body;
    return { error: { ...error, type: this.#type, code: this.#status } };
  }

  override answer(form?: (error: ApiError) => object): object | string | undefined {
    if (this.#status === 401 && form === undefined) return { error: "Unauthorized" };
    return super.answer(form);
  }
}
