/** What vLLM looks at in a completion's body before its fields, in its order. */
import { badRequest } from "../../http/errors.ts";
import { truthy } from "../../http/shape/python.ts";
import type { BodyCheck } from "../../http/validation.ts";
import {
  checkCacheSalt,
  checkPromptLogprobs,
  checkResponseFormat,
  checkStreamOptions,
  logprobCount,
  notBelowAll,
  notWithBeams,
  structuredCount,
} from "../body-checks.ts";

/** VLLM_MAX_COMPLETION_PROMPTS, at its default. */
const MAX_PROMPTS = 1024;

const checkPromptCount: BodyCheck = (body) => {
  for (const name of ["prompt", "prompt_embeds"]) {
    const given = body[name];
    if (!Array.isArray(given) || given.length <= MAX_PROMPTS) continue;
    if (name === "prompt" && given.every((one) => typeof one === "number")) continue;
    throw badRequest(
      `${name} list length ${given.length} exceeds the maximum allowed count of ${MAX_PROMPTS}. To increase this limit, set the VLLM_MAX_COMPLETION_PROMPTS environment variable.`,
      name,
    );
  }
};

const checkPrompt: BodyCheck = ({ prompt, prompt_embeds: embeds }) => {
  const noEmbeds = (embeds ?? null) === null || (Array.isArray(embeds) && embeds.length === 0);
  if (((prompt ?? null) === null || prompt === "") && noEmbeds) {
    throw badRequest("Either prompt or prompt_embeds must be provided and non-empty.", "prompt");
  }
};

const checkLogprobs: BodyCheck = (body) => {
  notWithBeams(body);
  const { logprobs, echo } = body;
  const given = (logprobs ?? null) !== null;
  if (truthy(body["use_beam_search"]) && truthy(echo) && given) {
    throw badRequest(
      "`echo` with `logprobs` is not supported with beam search because beam search does not compute prompt logprobs.",
      "echo",
    );
  }
  if (truthy(body["logprob_token_ids"])) {
    if (truthy(echo) && body["max_tokens"] === 0) {
      throw badRequest(
        "`logprob_token_ids` is not supported when `echo=True` and `max_tokens=0` because no output tokens are generated.",
        "logprob_token_ids",
      );
    }
    if (!given) {
      throw badRequest(
        "when using `logprob_token_ids`, `logprobs` must be set.",
        "logprob_token_ids",
      );
    }
  }
  const prompt = logprobCount(body, "prompt_logprobs");
  const count = logprobCount(body, "logprobs");
  checkPromptLogprobs(body, prompt);
  notBelowAll("logprobs", count);
};

export const COMPLETION_CHECKS: readonly BodyCheck[] = [
  checkPromptCount,
  checkPrompt,
  checkStreamOptions,
  checkLogprobs,
  (body) => void structuredCount(body["structured_outputs"], "structured_outputs"),
  checkResponseFormat,
  checkCacheSalt,
];
