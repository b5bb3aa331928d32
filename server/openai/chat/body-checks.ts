/** What vLLM looks at in a chat's body before its fields, in its order. */
import { badRequest } from "../../http/errors.ts";
import { isObject, PyNumber, pyStr, pyType, truthy } from "../../http/shape/python.ts";
import { type BodyCheck, itemComplaints, type ReadCheck } from "../../http/validation.ts";
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

/** Messages are walked before they are checked, and not everything can be walked. */
const checkWalkable: BodyCheck = ({ messages }) => {
  if (messages === undefined || typeof messages === "string") return;
  if (typeof messages !== "object" || messages === null || messages instanceof PyNumber) {
    throw notIterable(messages);
  }
};

function notIterable(value: unknown) {
  return badRequest(`'${pyType(value)}' object is not iterable`);
}

export const checkGenerationPrompt: BodyCheck = (body) => {
  if (truthy(body["continue_final_message"]) && truthy(body["add_generation_prompt"])) {
    throw badRequest(
      "Cannot set both `continue_final_message` and `add_generation_prompt` to True.",
    );
  }
};

const CORRECT_USAGE = 'Correct usage: `{"type": "function", "function": {"name": "my_function"}}`';

const checkTools: BodyCheck = (body) => {
  const { tools, tool_choice: choice } = body;
  if (Array.isArray(tools) && tools.length === 0) {
    throw badRequest(
      "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.",
      "tools",
    );
  }
  if (choice === undefined || choice === null || choice === "none") return;
  if (tools === undefined || tools === null) {
    throw badRequest("When using `tool_choice`, `tools` must be set.", "tool_choice");
  }
  if (choice === "auto" || choice === "required") return;
  if (!isObject(choice)) {
    throw badRequest(
      `Invalid value for \`tool_choice\`: ${pyStr(choice)}! Only named tools, "none", "auto" or "required" are supported.`,
      "tool_choice",
    );
  }
  checkNamed(choice, tools);
};

function checkNamed(choice: Readonly<Record<string, unknown>>, tools: unknown): void {
  const { function: named } = choice;
  if (!isObject(named)) {
    throw badRequest(
      `Invalid value for \`function\`: \`${pyStr(named)}\` in \`tool_choice\`! ${CORRECT_USAGE}`,
      "tool_choice.function",
    );
  }
  if (!Object.hasOwn(named, "name")) {
    throw badRequest(
      `Expected field \`name\` in \`function\` in \`tool_choice\`! ${CORRECT_USAGE}`,
      "tool_choice.function.name",
    );
  }
  const { name } = named;
  if (typeof name !== "string" || name === "") {
    throw badRequest(
      `Invalid \`name\` in \`function\`: \`${pyStr(name)}\` in \`tool_choice\`! ${CORRECT_USAGE}`,
      "tool_choice.function.name",
    );
  }
  if (!Array.isArray(tools)) return; // the fields' check says so
  for (const tool of tools) {
    const described: unknown = isObject(tool) ? tool["function"] : undefined;
    if (!isObject(described) || !Object.hasOwn(described, "name")) return; // and this
    if (described["name"] === name) return;
  }
  throw badRequest(
    "The tool specified in `tool_choice` does not match any of the specified `tools`",
    "tool_choice",
  );
}

const checkStructured: BodyCheck = (body) => {
  const { tool_choice: choice = "none" } = body;
  const count = structuredCount(body["structured_outputs"]);
  if (count > 0 && !["none", "auto", "required"].includes(choice as string)) {
    throw badRequest(
      "You can only either use constraints for structured outputs or tools, not both.",
    );
  }
};

const checkLogprobs: BodyCheck = (body) => {
  notWithBeams(body);
  if (truthy(body["logprob_token_ids"]) && !truthy(body["logprobs"])) {
    throw badRequest(
      "when using `logprob_token_ids`, `logprobs` must be set to true.",
      "logprob_token_ids",
    );
  }
  const prompt = logprobCount(body, "prompt_logprobs");
  const top = logprobCount(body, "top_logprobs");
  checkPromptLogprobs(body, prompt);
  notBelowAll("top_logprobs", top);
  if (top !== undefined && (top === -1 || top > 0) && !truthy(body["logprobs"])) {
    throw badRequest("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs");
  }
};

/** A message's calls are walked too. */
const checkCalls: BodyCheck = ({ messages }) => {
  if (!Array.isArray(messages)) return;
  for (const message of messages) {
    const calls: unknown = isObject(message) ? message["tool_calls"] : undefined;
    if (calls === undefined || calls === null || typeof calls === "string") continue;
    if (typeof calls !== "object") throw notIterable(calls);
  }
};

/** Calls of an assistant's message are read once its kind is known. */
export const checkCallItems: ReadCheck = (body) => {
  const messages = isObject(body) ? body["messages"] : undefined;
  for (const message of Array.isArray(messages) ? messages : []) {
    const calls: unknown = isObject(message) ? message["tool_calls"] : undefined;
    const complaints = Array.isArray(calls) ? itemComplaints(calls) : undefined;
    if (complaints !== undefined) return complaints;
  }
  return undefined;
};

export const CHAT_CHECKS: readonly BodyCheck[] = [
  checkWalkable,
  checkGenerationPrompt,
  checkTools,
  checkStructured,
  checkLogprobs,
  checkStreamOptions,
  checkResponseFormat,
  checkCalls,
  checkCacheSalt,
];
