/** POST /tokenize and /detokenize, GET /tokenizer_info. */
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { chatPrompt } from "../generation/chat-prompt.ts";
import { textPrompt } from "../generation/prompt.ts";
import { badRequest } from "../http/errors.ts";
import { chatRequest } from "../openai/chat/schema.ts";
import { nullable } from "../openai/fields.ts";
import { type Serving, servedName } from "../serving.ts";

const chat = chatRequest.properties;

export const tokenizeRequest = Type.Object({
  model: nullable(Type.String()),
  prompt: nullable(Type.String()),
  messages: Type.Optional(chat.messages),
  add_special_tokens: nullable(Type.Boolean()),
  return_token_strs: nullable(Type.Boolean()),
  add_generation_prompt: chat.add_generation_prompt,
  continue_final_message: chat.continue_final_message,
  chat_template: chat.chat_template,
  chat_template_kwargs: chat.chat_template_kwargs,
  tools: chat.tools,
});

export const detokenizeRequest = Type.Object({
  model: nullable(Type.String()),
  tokens: Type.Array(Type.Integer({ minimum: 0 })),
});

export function tokenizeRoutes(app: FastifyInstance, serving: Serving): void {
  const { tokenizer } = serving;
  app.post<{ Body: Static<typeof tokenizeRequest> }>(
    "/tokenize",
    { schema: { body: tokenizeRequest } },
    async ({ body }) => {
      servedName(serving, body.model);
      // Long texts may be counted too: only serving them is bounded by the context.
      const limits = { ...serving, maxModelLen: Number.POSITIVE_INFINITY };
      const special = { addSpecialTokens: body.add_special_tokens ?? body.messages === undefined };
      let ids: Int32Array;
      if (body.messages !== undefined) {
        const plan = body.tools ? { tools: body.tools } : {};
        const { messages } = body;
        ids = (await chatPrompt(limits, { ...body, messages }, { plan, tokenize: special })).ids;
      } else {
        if (typeof body.prompt !== "string") throw badRequest("Field required", "prompt");
        ids = (await textPrompt(body.prompt, tokenizer, limits, special)).ids;
      }
      return {
        count: ids.length,
        max_model_len: serving.maxModelLen,
        tokens: [...ids],
        token_strs: body.return_token_strs
          ? Array.from(ids, (id) => tokenizer?.token(id) ?? "")
          : null,
      };
    },
  );
  app.post<{ Body: Static<typeof detokenizeRequest> }>(
    "/detokenize",
    { schema: { body: detokenizeRequest } },
    async ({ body }) => {
      servedName(serving, body.model);
      if (tokenizer === undefined) throw badRequest("This model has no tokenizer.", "tokens");
      const outside = body.tokens.find((id) => id >= serving.vocabSize);
      if (outside !== undefined) {
        throw badRequest(`Token id ${outside} is out of vocabulary`, "tokens", outside);
      }
      return { prompt: tokenizer.decode(body.tokens, { skipSpecial: false }) };
    },
  );
  if (serving.settings["enable-tokenizer-info-endpoint"]) {
    app.get("/tokenizer_info", async () => serving.tokenizerInfo ?? {});
  }
}
