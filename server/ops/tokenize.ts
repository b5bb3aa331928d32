/** POST /tokenize and /detokenize, GET /tokenizer_info. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { type Static, type TObject, Type } from "typebox";
import type { Tokenizer } from "../../models/model.ts";
import { chatPrompt } from "../generation/chat-prompt.ts";
import { nullable, optional } from "../generation/fields.ts";
import { textPrompt } from "../generation/prompt.ts";
import { badRequest } from "../http/errors.ts";
import { isObject } from "../http/shape/python.ts";
import { BEFORE } from "../http/shape/schema.ts";
import { fits } from "../http/validation.ts";
import { checkGenerationPrompt } from "../openai/chat/body-checks.ts";
import { chatRequest } from "../openai/chat/schema.ts";
import { type Serving, servedName } from "../serving.ts";

const boolean = Type.Boolean();
const { model, messages, tools, chat_template, chat_template_kwargs } = chatRequest.properties;
const { media_io_kwargs, mm_processor_kwargs } = chatRequest.properties;

const tokenizeText = Type.Object({
  model,
  prompt: Type.String(),
  add_special_tokens: optional(boolean),
  return_token_strs: nullable(boolean),
});

const tokenizeChat = Type.Object(
  {
    model,
    messages,
    add_generation_prompt: optional(boolean),
    return_token_strs: nullable(boolean),
    continue_final_message: optional(boolean),
    add_special_tokens: optional(boolean),
    chat_template,
    chat_template_kwargs,
    media_io_kwargs,
    mm_processor_kwargs,
    tools,
  },
  {
    [BEFORE]: (body: unknown) => {
      if (isObject(body)) checkGenerationPrompt(body);
      return body;
    },
  },
);

const tokenizeRequest = Type.Union([tokenizeText, tokenizeChat]);
type TokenizeText = Static<typeof tokenizeText>;
type TokenizeChat = Static<typeof tokenizeChat>;

const detokenizeRequest = Type.Object({
  model,
  tokens: Type.Array(Type.Integer({ format: "int64", minimum: 0 })),
});

export function tokenizeRoutes(app: FastifyInstance, serving: Serving): void {
  const { tokenizer } = serving;
  const isChat = fits(tokenizeChat);
  const isText = fits(tokenizeText);
  // Of two shapes that fit, pydantic takes the one of which more is set: an empty list counts as one field.
  const asChat = (body: object): boolean => {
    if (!isChat(body)) return false;
    const { messages } = body as TokenizeChat; // by the check
    if (messages.length > 0 || !isText(body)) return true;
    const set = (schema: TObject) => Object.keys(schema.properties).filter((name) => name in body);
    return set(tokenizeChat).length > set(tokenizeText).length;
  };
  app.post<{ Body: TokenizeText | TokenizeChat }>(
    "/tokenize",
    { schema: { body: tokenizeRequest } },
    async ({ body }, reply) => {
      servedName(serving, body.model);
      // Long texts may be counted too: only serving them is bounded by the context.
      const limits = { ...serving, maxModelLen: Number.POSITIVE_INFINITY };
      const ids = asChat(body)
        ? await chatIds(limits, body as TokenizeChat)
        : await textIds(limits, body as TokenizeText);
      const { maxModelLen } = serving;
      const spell = body.return_token_strs
        ? (id: number): string => tokenizer?.token(id) ?? ""
        : undefined;
      if (ids.length <= AT_ONCE) {
        const strings = spell === undefined ? null : Array.from(ids, spell);
        const tokens = [...ids];
        return { count: ids.length, max_model_len: maxModelLen, tokens, token_strs: strings };
      }
      const pieces = tokenized(ids, { maxModelLen, ...(spell !== undefined && { spell }) });
      reply.type("application/json; charset=utf-8");
      return reply.send(Readable.from(pieces));
    },
  );
  app.post<{ Body: Static<typeof detokenizeRequest> }>(
    "/detokenize",
    { schema: { body: detokenizeRequest } },
    async ({ body }) => {
      servedName(serving, body.model);
      if (tokenizer === undefined) throw badRequest("This model has no tokenizer.", "tokens");
      if (body.tokens.some((id) => id >= 2 ** 32)) {
        throw badRequest("number too large to fit in target type");
      }
      // Ids past the vocabulary have no text, as in vLLM.
      const known = body.tokens.filter((id) => id < serving.vocabSize);
      return { prompt: await decoded(tokenizer, known) };
    },
  );
  if (serving.settings["enable-tokenizer-info-endpoint"]) {
    app.get("/tokenizer_info", async () => serving.tokenizerInfo ?? {});
  }
}

async function chatIds(serving: Serving, body: TokenizeChat): Promise<Int32Array> {
  const plan = body.tools ? { tools: body.tools } : {};
  const tokenize = { addSpecialTokens: body.add_special_tokens ?? false };
  return (await chatPrompt(serving, body, { plan, tokenize })).ids;
}

async function textIds(serving: Serving, body: TokenizeText): Promise<Int32Array> {
  const special = { addSpecialTokens: body.add_special_tokens ?? true };
  return (await textPrompt(body.prompt, serving.tokenizer, serving, special)).ids;
}

/** Ids that are worked through before the event loop turns. */
const AT_ONCE = 20_000;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The answer's JSON in pieces: millions of ids made text at once would hold the event loop. */
async function* tokenized(
  ids: Int32Array,
  { maxModelLen, spell }: { readonly maxModelLen: number; readonly spell?: (id: number) => string },
): AsyncGenerator<string> {
  yield `{"count":${ids.length},"max_model_len":${maxModelLen},"tokens":[`;
  yield* listed(ids, (part) => part.join(","));
  yield '],"token_strs":';
  if (spell === undefined) yield "null}";
  else {
    yield "[";
    yield* listed(ids, (part) => Array.from(part, (id) => JSON.stringify(spell(id))).join(","));
    yield "]}";
  }
}

async function* listed(
  ids: Int32Array,
  text: (part: Int32Array) => string,
): AsyncGenerator<string> {
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    if (at > 0) await turn();
    yield (at > 0 ? "," : "") + text(ids.subarray(at, at + AT_ONCE));
  }
}

async function decoded(tokenizer: Tokenizer, ids: readonly number[]): Promise<string> {
  const decoder = tokenizer.decoder({ skipSpecial: false });
  let text = "";
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    if (at > 0) await turn();
    for (const id of ids.slice(at, at + AT_ONCE)) text += decoder.push(id);
  }
  return text + decoder.end();
}
