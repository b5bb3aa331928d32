/** POST /invocations (SageMaker): a chat or a completion, by the shape of the body. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { answerChat } from "../http/chat-format.ts";
import { badRequest } from "../http/errors.ts";
import { shapeCheck } from "../http/validation.ts";
import type { Serving } from "../serving.ts";
import { chatFormat } from "./chat/respond.ts";
import { type ChatRequest, chatRequest } from "./chat/schema.ts";
import { answerCompletion } from "./completions/route.ts";
import { type CompletionRequest, completionRequest } from "./completions/schema.ts";

export function invocationsRoute(app: FastifyInstance, serving: Serving): void {
  const chatError = shapeCheck(chatRequest);
  const completionError = shapeCheck(completionRequest);
  app.post("/invocations", async (request, reply) => {
    // The checks prove the bodies' types.
    if (chatError(request.body) === undefined) {
      return answerChat(serving, chatFormat, {
        request,
        reply,
        body: request.body as ChatRequest,
      });
    }
    if (completionError(request.body) === undefined) {
      return answerCompletion(
        serving,
        request as FastifyRequest<{ Body: CompletionRequest }>,
        reply,
      );
    }
    throw badRequest(
      "Cannot find suitable handler for request. Expected one of: ['ChatCompletionRequest', 'CompletionRequest']",
    );
  });
}
