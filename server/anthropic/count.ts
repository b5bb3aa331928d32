/** POST /v1/messages/count_tokens: the length of the prompt that the messages make. */
import type { FastifyInstance } from "fastify";
import { chatPromptOf } from "../generation/chat.ts";
import { outputBudget } from "../generation/prompt.ts";
import { type Serving, servedName } from "../serving.ts";
import { promptFields } from "./read.ts";
import { errorBody } from "./respond.ts";
import { type CountTokensRequest, countTokensRequest } from "./schema.ts";

export function countTokensRoute(app: FastifyInstance, serving: Serving): void {
  app.post<{ Body: CountTokensRequest }>(
    "/v1/messages/count_tokens",
    { schema: { body: countTokensRequest }, config: { errorBody } },
    async ({ body }) => {
      servedName(serving, body.model);
      // A schema is no part of the prompt, nor is a bound of its thought.
      const {
        response_format: _,
        thinking_token_budget: __,
        ...fields
      } = promptFields(serving, body);
      const { prompt } = await chatPromptOf(serving, fields);
      const tokens = prompt.ids.length;
      // What could not be answered is not counted either, as in vLLM.
      if (tokens > serving.maxModelLen) outputBudget(prompt, undefined, serving);
      return { input_tokens: tokens, context_management: { original_input_tokens: tokens } };
    },
  );
}
