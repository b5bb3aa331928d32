/** Text completions, to the byte: keys in vLLM's order, nulls where vLLM has them. */
import { entryAt } from "../../entry-at.ts";
import type { Exchange, StreamResponder } from "../../exchange/exchange.ts";
import type { ChoiceDelta } from "../../generation/choice.ts";
import type { Running } from "../../generation/generate.ts";
import type { StreamOptions } from "../../generation/prepare.ts";
import type { Prompt } from "../../generation/prompt.ts";
import type { SseEvent } from "../../http/sse.ts";
import type { Serving } from "../../serving.ts";
import { DONE, event, failed, TextChunk } from "../events.ts";
import {
  appendLogprobs,
  type CompletionLogprobs,
  noLogprobs,
  promptLogprobs,
  TokenNames,
} from "../logprobs.ts";
import { fingerprintOf, lastChunk, requestMetrics, tokenCounts, usage } from "../usage.ts";
import type { CompletionRequest } from "./schema.ts";

export interface CompletionAnswer {
  readonly serving: Serving;
  readonly exchange: Exchange;
  readonly model: string;
  readonly body: CompletionRequest;
  readonly prompts: readonly Prompt[];
  /** Completions of each prompt; choice index = prompt index · n + completion. */
  readonly n: number;
  /** `max_tokens` 0 with `echo`: the text of the token that had to be drawn is not shown. */
  readonly promptOnly: boolean;
  readonly generation: Running;
}

/** Text and logprobs of one choice, grown piece by piece. */
class ChoiceText {
  readonly #answer: CompletionAnswer;
  readonly #names: TokenNames;
  readonly prompt: Prompt;
  #offset = 0;
  #started = false;

  constructor(answer: CompletionAnswer, names: TokenNames, prompt: Prompt) {
    this.#answer = answer;
    this.#names = names;
    this.prompt = prompt;
  }

  push(delta: ChoiceDelta): {
    readonly text: string;
    readonly logprobs: CompletionLogprobs | null;
    /** Of the first piece, where they are wanted. */
    readonly promptIds: readonly number[] | null;
  } {
    const { body, promptOnly } = this.#answer;
    const logprobs = typeof body.logprobs === "number" ? noLogprobs() : null;
    const first = !this.#started;
    this.#started = true;
    const echoes = first && body.echo === true;
    if (echoes && logprobs !== null) {
      this.#offset = appendLogprobs(logprobs, [...this.prompt.ids], {
        logprobs: [undefined, ...(delta.promptLogprobs ?? [])],
        names: this.#names,
        offset: 0,
      });
    }
    if (logprobs !== null && !promptOnly) {
      this.#offset = appendLogprobs(logprobs, delta.ids, {
        logprobs: delta.logprobs,
        names: this.#names,
        offset: this.#offset,
      });
    }
    return {
      text: (echoes ? this.#promptText() : "") + (promptOnly ? "" : delta.text),
      logprobs,
      promptIds: first && (body.return_token_ids || echoes) ? [...this.prompt.ids] : null,
    };
  }

  /** vLLM leaves the text out where the ids are sent. */
  #promptText(): string {
    const { body, serving } = this.#answer;
    if (body.return_token_ids) return "";
    return this.prompt.text ?? serving.tokenizer?.decode(this.prompt.ids) ?? "";
  }
}

function choiceTexts(answer: CompletionAnswer): readonly ChoiceText[] {
  const { body, serving, prompts, n, generation } = answer;
  const asIds = body.return_tokens_as_token_ids ?? serving.settings["return-tokens-as-token-ids"];
  const names = new TokenNames(serving.tokenizer, asIds);
  return generation.choices.map((choice) => {
    const prompt = entryAt(prompts, Math.floor(choice.index / n));
    return new ChoiceText(answer, names, prompt);
  });
}

const promptTokens = ({ prompts }: CompletionAnswer): number =>
  prompts.reduce((sum, prompt) => sum + prompt.ids.length, 0);

export function completionResponse(answer: CompletionAnswer, deltas: readonly ChoiceDelta[]) {
  const { serving, exchange, body, generation } = answer;
  const texts = choiceTexts(answer);
  const names = new TokenNames(serving.tokenizer, false);
  const choices = deltas.map((delta) => {
    const choice = entryAt(texts, delta.index);
    const { text, logprobs, promptIds } = choice.push(delta);
    const prompted =
      delta.promptLogprobs === undefined
        ? null
        : promptLogprobs(choice.prompt.ids, delta.promptLogprobs, names);
    return {
      index: delta.index,
      text,
      logprobs,
      finish_reason: delta.finish?.reason ?? null,
      stop_reason: delta.finish?.stopReason ?? null,
      token_ids: body.return_token_ids ? delta.ids : null,
      prompt_logprobs: prompted,
      prompt_token_ids: body.return_token_ids ? promptIds : null,
      routed_experts: null,
    };
  });
  return {
    id: exchange.id,
    object: "text_completion",
    created: exchange.created,
    model: answer.model,
    choices,
    service_tier: null,
    system_fingerprint: serving.fingerprint,
    usage: usage({
      promptTokens: promptTokens(answer),
      generation,
      settings: serving.settings,
    }),
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: requestMetrics(generation, serving),
  };
}

/** Of a chunk that is text alone. */
const NOTHING_FURTHER = {
  logprobs: null,
  finish_reason: null,
  stop_reason: null,
  prompt_token_ids: null,
  token_ids: null,
};

export function completionStream(
  answer: CompletionAnswer,
  options: StreamOptions,
): StreamResponder {
  const { serving, exchange, body, generation } = answer;
  const texts = choiceTexts(answer);
  const head = {
    id: exchange.id,
    object: "text_completion",
    created: exchange.created,
    model: answer.model,
  };
  const bare = !(
    typeof body.logprobs === "number" ||
    body.return_token_ids ||
    body.echo ||
    answer.promptOnly ||
    options.continuousUsage
  );
  const chunks: TextChunk[] = [];
  const textChunk = (index: number): TextChunk => {
    chunks[index] ??= new TextChunk((text) => ({
      ...head,
      choices: [{ index, text, ...NOTHING_FURTHER }],
    }));
    return chunks[index];
  };
  const one = (delta: ChoiceDelta): SseEvent => {
    if (bare && delta.finish === undefined) return textChunk(delta.index).event(delta.text);
    const choice = entryAt(texts, delta.index);
    const { text, logprobs, promptIds } = choice.push(delta);
    const { tokens } = entryAt(generation.choices, delta.index);
    return event({
      ...head,
      choices: [
        {
          index: delta.index,
          text,
          logprobs,
          finish_reason: delta.finish?.reason ?? null,
          stop_reason: delta.finish?.stopReason ?? null,
          prompt_token_ids: promptIds,
          token_ids: body.return_token_ids ? delta.ids : null,
        },
      ],
      ...(options.continuousUsage && { usage: tokenCounts(choice.prompt.ids.length, tokens) }),
      ...(delta.finish !== undefined && !options.includeUsage && fingerprintOf(serving)),
    });
  };
  return {
    deltas: (deltas) => deltas.map(one),
    end: () => {
      if (!options.includeUsage) return [DONE];
      const { settings } = serving;
      const source = { promptTokens: promptTokens(answer), generation, settings };
      return [event(lastChunk(head, serving, source)), DONE];
    },
    failed,
  };
}
