/**
 * Chat templates that come with a request (--trust-request-chat-template), and the
 * model's own over chats so large that rendering them would hold the event loop. A
 * template is a program: it runs in a thread of its own, under a time limit.
 */
import type { ChatTemplate } from "../../models/model.ts";
import { specialTokens } from "../../models/tokenizer/chat-template.ts";
import { GuardedThread, ThreadBusyError } from "../guarded-thread.ts";
import { ApiError, badRequest } from "../http/errors.ts";

type Input = Parameters<ChatTemplate["render"]>[0];

export interface TemplateTask {
  readonly source: NonNullable<ChatTemplate["source"]>;
  readonly input: Input;
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

  /** A client's template. Throws ApiError naming chat_template. */
  render(template: string, input: Input): Promise<string> {
    const source = { templates: new Map([["default", template]]), tokens: this.#tokens };
    return this.#run({ source, input }, { param: "chat_template", key: template });
  }

  /** The model's own template over a large chat. Throws ApiError. */
  renderLarge(source: TemplateTask["source"], input: Input): Promise<string> {
    return this.#run({ source, input }, { param: "messages" });
  }

  async #run(
    task: TemplateTask,
    { param, key }: { readonly param: string; readonly key?: string },
  ): Promise<string> {
    const answer = await this.#thread.run(task, key).catch((error: Error) => {
      if (error instanceof ThreadBusyError) {
        throw new ApiError("overloaded", error.message, { retryAfterSeconds: 1, cause: error });
      }
      throw badRequest(`The chat template was not rendered: ${error.message}.`, param);
    });
    if (answer.ok) return answer.text;
    throw key === undefined ? badRequest(answer.message) : badRequest(answer.message, param);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
