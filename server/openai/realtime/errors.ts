import type { RealtimeCode } from "../../http/error-table.ts";
import { LONGEST_MESSAGE } from "../../http/errors.ts";
import { shorten } from "../../http/shape/shorten.ts";

/** A client's event that cannot be; `code` and `param` as OpenAI names them. */
export class RealtimeError extends Error {
  override readonly name = "RealtimeError";
  readonly code: RealtimeCode;
  readonly param: string | null;

  constructor(code: RealtimeCode, message: string, param: string | null = null) {
    super(shorten(message, LONGEST_MESSAGE));
    this.code = code;
    this.param = param;
  }
}
