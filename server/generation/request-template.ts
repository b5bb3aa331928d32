/**
 * Chat templates that come with a request (--trust-request-chat-template). A
 * template is a program: it runs in a thread of its own, under a time limit.
 */
import type { ChatTemplate } from "../../models/model.ts";
import { specialTokens } from "../../models/tokenizer/chat-template.ts";
import { ApiError, badRequest } from "../http/errors.ts";
import { GuardedThread, ThreadBusyError } from "./guarded-thread.ts";

export interface TemplateTask {
  readonly template: string;
  /** `bos_token`, `eos_token`, … as text. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly input: Parameters<ChatTemplate["render"]>[0];
}

export type TemplateAnswer =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string };

const LIMITS = { timeLimitMs: 1_000, maxWaiting: 64 };

export class RequestTemplates {
  readonly #thread = new GuardedThread<TemplateTask, TemplateAnswer>(
    "./request-template-thread",
    import.meta.url,
    LIMITS,
  );
  readonly #tokens: Readonly<Record<string, string>>;

  /** `tokenizerConfig`: tokenizer_config.json as read. */
  constructor(tokenizerConfig: Readonly<Record<string, unknown>>) {
    this.#tokens = specialTokens(tokenizerConfig);
  }

  /** Throws ApiError naming chat_template. */
  async render(template: string, input: TemplateTask["input"]): Promise<string> {
    const answer = await this.#thread
      .run({ template, tokens: this.#tokens, input }, template)
      .catch((error: Error) => {
        if (error instanceof ThreadBusyError) {
          throw new ApiError("overloaded", error.message, { retryAfterSeconds: 1, cause: error });
        }
        throw badRequest(`The chat template was not rendered: ${error.message}.`, "chat_template");
      });
    if (answer.ok) return answer.text;
    throw badRequest(answer.message, "chat_template");
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
