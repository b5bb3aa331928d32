/** POST /invocations (SageMaker): a chat or a completion, by the shape of the body. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { answerChat } from "../exchange/chat-format.ts";
import { ApiError, badRequest } from "../http/errors.ts";
import { jsonDetail, shapeCheck } from "../http/validation.ts";
import type { Serving } from "../serving.ts";
import { chatFormat } from "./chat/respond.ts";
import { type ChatRequest, chatRequest } from "./chat/schema.ts";
import { answerCompletion } from "./completions/route.ts";
import { type CompletionRequest, completionRequest } from "./completions/schema.ts";

export function invocationsRoute(app: FastifyInstance, serving: Serving): void {
  const chat = shapeCheck(chatRequest);
  const completion = shapeCheck(completionRequest);
  app.post(
    "/invocations",
    { config: { readsBody: true }, errorHandler: jsonDetail },
    async (request, reply) => {
      if (request.body === undefined) {
        throw new ApiError(
          "invalid",
          "JSON decode error: Expecting value: line 1 column 1 (char 0)",
        );
      }
      const asChat = chat(request.body);
      if ("value" in asChat) {
        const body = asChat.value as ChatRequest; // proved by the check
        return answerChat(serving, chatFormat, { request, reply, body });
      }
      // What does not go together is told; of another shape it may be the other kind.
      if (asChat.error.code !== "invalid") throw asChat.error;
      const asText = completion(request.body);
      if ("value" in asText) {
        request.body = asText.value;
        const checked = request as FastifyRequest<{ Body: CompletionRequest }>;
        return answerCompletion(serving, checked, reply);
      }
      if (asText.error.code !== "invalid") throw asText.error;
      throw badRequest(
        "Cannot find suitable handler for request. Expected one of: ['ChatCompletionRequest', 'CompletionRequest']",
      );
    },
  );
}
