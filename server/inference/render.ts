/**
 * POST …/render (`--enable-scale-out`): what a request would be for the engine: the ids of
 * its prompt and its sampling parameters. Nothing is generated.
 */
import type { FastifyInstance } from "fastify";
import type { TSchema } from "typebox";
import { readMessages } from "../anthropic/read.ts";
import { type MessagesRequest, messagesRequest } from "../anthropic/schema.ts";
import { type ChatAsk, prepareChat } from "../generation/chat.ts";
import type { SamplingFields } from "../generation/fields.ts";
import type { CheckedSampling } from "../generation/params.ts";
import { hexId } from "../hex-id.ts";
import { ApiError, badRequest } from "../http/errors.ts";
import { readChat } from "../openai/chat/read.ts";
import { type ChatRequest, chatRequest } from "../openai/chat/schema.ts";
import { prepareCompletion } from "../openai/completions/route.ts";
import { type CompletionRequest, completionRequest } from "../openai/completions/schema.ts";
import { newItemId } from "../openai/responses/items.ts";
import { checkBody, readResponse } from "../openai/responses/read.ts";
import { type ResponsesRequest, responsesRequest } from "../openai/responses/schema.ts";
import { responseTools } from "../openai/responses/tools.ts";
import { type Serving, servedName } from "../serving.ts";
import { writtenParams } from "./params.ts";

export function renderRoutes(app: FastifyInstance, serving: Serving): void {
  const route = <Body extends Common>(
    path: string,
    schema: TSchema,
    render: (body: Body) => Promise<unknown>,
  ): void => {
    app.post<{ Body: Body }>(`${path}/render`, { schema: { body: schema } }, async (request) => {
      const body = request.body as Body; // proved by the schema
      servedName(serving, body.model);
      return render(body);
    });
  };
  const chat = async (body: Common, ask: ChatAsk, id: string, extra?: object) => {
    const { prompt, sampling, fields, plan } = await prepareChat(serving, ask, {
      priority: (given) => given ?? 0,
      rank: undefined,
    });
    // A tool parser wants to see the special tokens.
    const parsed = plan.parser !== undefined;
    return rendered({ id, body, ids: prompt.ids, sampling, fields, extra, parsed });
  };
  route<ChatRequest>("/v1/chat/completions", chatRequest, (body) =>
    chat(body, readChat(serving, withoutBeams(body)), `chatcmpl-${body.request_id || hexId()}`),
  );
  route<MessagesRequest>("/v1/messages", messagesRequest, (body) =>
    chat(
      { ...body, ...(body.stream && { stream_options: { continuous_usage_stats: true } }) },
      readMessages(serving, body),
      `chatcmpl-${hexId()}`,
    ),
  );
  route<ResponsesRequest>("/v1/responses", responsesRequest, (body) => {
    checkBody(body);
    if (body.previous_response_id) {
      throw new ApiError(
        "invalid-request",
        "previous_response_id is not supported by the stateless render endpoint.",
        { param: "previous_response_id" },
      );
    }
    const earlier = { item: () => undefined };
    const ask = readResponse(serving, body, { tools: responseTools(body), before: [], earlier });
    return chat(body, ask, body.request_id ?? newItemId("resp"), {});
  });
  route<CompletionRequest>("/v1/completions", completionRequest, async (body) => {
    const { prompts, sampling } = await prepareCompletion(serving, withoutBeams(body));
    const base = `cmpl-${body.request_id || hexId()}`;
    return prompts.map(({ ids }, index) => {
      const id = prompts.length === 1 ? base : `${base}-${index}`;
      return rendered({ id, body, ids, sampling: sampling[index] ?? sampling[0], fields: body });
    });
  });
}

const STREAM_OPTIONS = { include_usage: true, continuous_usage_stats: false };

interface Common {
  readonly model?: string | null;
  readonly stream?: boolean | null;
  readonly stream_options?: object | null;
  readonly cache_salt?: string | null;
  readonly priority?: number | null;
}

function withoutBeams<Body extends { readonly use_beam_search?: boolean | null }>(
  body: Body,
): Body {
  if (body.use_beam_search) throw badRequest("Beam search is not supported by the render endpoint");
  return body;
}

function rendered({
  id,
  body,
  ids,
  sampling,
  fields,
  extra,
  parsed = false,
}: {
  readonly id: string;
  readonly body: Common;
  readonly ids: Int32Array;
  readonly sampling: CheckedSampling | undefined;
  readonly fields: SamplingFields;
  readonly extra?: object | undefined;
  readonly parsed?: boolean;
}): object {
  const streams = body.stream === true;
  return {
    request_id: id,
    token_ids: [...ids],
    token_offsets: null,
    features: null,
    content_parts: null,
    sampling_params:
      sampling &&
      writtenParams(sampling, fields, { streamed: streams, parsed, ...(extra && { extra }) }),
    model: body.model ?? null,
    reasoning_ended: null,
    reasoning_parser_kwargs: null,
    return_token_ids: null,
    output_mode: "tokens",
    stream: streams,
    stream_options:
      streams && body.stream_options ? { ...STREAM_OPTIONS, ...body.stream_options } : null,
    cache_salt: body.cache_salt ?? null,
    priority: body.priority ?? 0,
    kv_transfer_params: null,
    ec_transfer_params: null,
  };
}
