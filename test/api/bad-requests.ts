/** Requests that are refused: what is wrong with each, and what is answered. */
const TEXT = "/v1/completions";
const hello = [{ role: "user", content: "hello" }];

export interface BadRequest {
  readonly what: string;
  readonly path?: string;
  readonly body: unknown;
  readonly status?: number;
  readonly type?: string;
  readonly param?: string | null;
  /** Part of the message. */
  readonly says: string;
}

export const BAD_REQUESTS: readonly BadRequest[] = [
  {
    what: "malformed JSON",
    body: '{"messages": [',
    type: "Bad Request",
    param: "body.14",
    says: "JSON decode error",
  },
  {
    what: "no body but null",
    body: "null",
    type: "Bad Request",
    param: "body",
    says: "'type': 'missing'",
  },
  { what: "empty body", body: "", type: "Bad Request", param: "body", says: "'type': 'missing'" },
  { what: "a JSON list", body: "[]", type: "Bad Request", param: "body", says: "valid dictionary" },
  {
    what: "missing messages",
    body: {},
    type: "Bad Request",
    param: "body.messages",
    says: "1 validation error:\n  {'type': 'missing', 'loc': 'body.messages', 'msg': 'Field required'",
  },
  {
    what: "messages of a wrong type",
    body: { messages: "hi" },
    type: "Bad Request",
    param: "body.messages",
    says: "'type': 'list_type'",
  },
  {
    what: "a message without role",
    body: { messages: [{ content: "x" }] },
    type: "Bad Request",
    param: "body.messages.0.ChatCompletionDeveloperMessageParam.role",
    says: "Field required",
  },
  {
    what: "text for a number",
    body: { messages: hello, temperature: "hot" },
    type: "Bad Request",
    param: "body.temperature",
    says: "unable to parse string as a number",
  },
  {
    what: "a fraction for an integer",
    body: { messages: hello, max_tokens: 1.5 },
    type: "Bad Request",
    param: "body.max_tokens",
    says: "fractional part",
  },
  {
    what: "unknown model",
    body: { model: "gpt-5", messages: hello },
    status: 404,
    type: "NotFoundError",
    param: "model",
    says: "The model `gpt-5` does not exist.",
  },
  { what: "empty messages", body: { messages: [] }, says: "empty" },
  {
    what: "temperature 5",
    body: { messages: hello, temperature: 5 },
    param: "temperature",
    says: "temperature must be in [0, 2], got 5.0. (parameter=temperature, value=5.0)",
  },
  {
    what: "negative temperature",
    body: { messages: hello, temperature: -1 },
    param: "temperature",
    says: "temperature must be non-negative, got -1.0.",
  },
  {
    what: "top_p 0",
    body: { messages: hello, top_p: 0 },
    param: "top_p",
    says: "top_p must be in (0, 1], got 0.0. (parameter=top_p, value=0.0)",
  },
  {
    what: "top_k -2",
    body: { messages: hello, top_k: -2 },
    says: "top_k must be 0 (disable), or at least 1, got -2.",
  },
  {
    what: "min_p 2",
    body: { messages: hello, min_p: 2 },
    says: "min_p must be in [0, 1], got 2.0.",
  },
  {
    what: "repetition_penalty 0",
    body: { messages: hello, repetition_penalty: 0 },
    says: "repetition_penalty must be greater than zero, got 0.0.",
  },
  {
    what: "presence_penalty 3",
    body: { messages: hello, presence_penalty: 3 },
    says: "presence_penalty must be in [-2, 2], got 3.0.",
  },
  {
    what: "frequency_penalty -3",
    body: { messages: hello, frequency_penalty: -3 },
    says: "frequency_penalty must be in [-2, 2], got -3.0.",
  },
  {
    what: "n 0",
    body: { messages: hello, n: 0 },
    says: "n must be at least 1, got 0.",
  },
  {
    what: "n with greedy",
    body: { messages: hello, n: 2, temperature: 0 },
    says: "n must be 1 when using greedy sampling, got 2.",
  },
  {
    what: "max_tokens 0",
    body: { messages: hello, max_tokens: 0 },
    param: "max_tokens",
    says: "max_tokens must be at least 1, got 0.",
  },
  {
    what: "min_tokens above max_tokens",
    body: { messages: hello, min_tokens: 9, max_tokens: 3 },
    says: "min_tokens must be less than or equal to max_tokens=3, got 9.",
  },
  {
    what: "max_tokens beyond the model",
    body: { messages: hello, max_tokens: 100_000 },
    param: "max_tokens",
    says: "max_tokens=100000 cannot be greater than max_model_len=512",
  },
  {
    what: "a prompt that leaves no room for the least output",
    path: TEXT,
    body: { prompt: Array(510).fill(300), max_tokens: 5, min_tokens: 4 },
    param: null,
    says: "min_tokens must be less than or equal to max_tokens=2, got 4.",
  },
  {
    what: "a prompt that leaves no room at all",
    path: TEXT,
    body: { prompt: Array(512).fill(300), max_tokens: 5 },
    param: "max_tokens",
    says: "max_tokens must be at least 1, got 0.",
  },
  {
    what: "prompt too long",
    path: TEXT,
    body: { prompt: "ab ".repeat(1200) },
    param: "input_tokens",
    says: "maximum context length is 512 tokens. However, your prompt contains at least 513 input tokens, which exceeds this limit even without any output tokens.",
  },
  {
    what: "prompt far too long to tokenize",
    path: TEXT,
    body: { prompt: "x".repeat(200_000) },
    param: "input_text",
    says: "200000 characters",
  },
  {
    what: "empty stop string",
    body: { messages: hello, stop: [""] },
    says: "stop cannot contain an empty string.",
  },
  {
    what: "five stop strings",
    body: { messages: hello, stop: ["a", "b", "c", "d", "e"] },
    type: "Bad Request",
    param: "body.stop",
    says: "'type': 'too_long', 'loc': 'body.stop', 'msg': 'List should have at most 4 items after validation, not 5'",
  },
  {
    what: "too many logprobs",
    body: { messages: hello, logprobs: true, top_logprobs: 21 },
    param: "logprobs",
    says: "Requested sample logprobs of 21, which is greater than max allowed: 20",
  },
  {
    what: "top_logprobs without logprobs",
    body: { messages: hello, top_logprobs: 2 },
    param: "top_logprobs",
    says: "when using `top_logprobs`, `logprobs` must be set to true. (parameter=top_logprobs)",
  },
  {
    what: "prompt_logprobs in a stream",
    body: { messages: hello, stream: true, prompt_logprobs: 1 },
    param: "prompt_logprobs",
    says: "`prompt_logprobs` are not available when `stream=True`.",
  },
  {
    what: "stream options without stream",
    body: { messages: hello, stream_options: { include_usage: true } },
    param: "stream_options",
    says: "Stream options can only be defined when `stream=True`.",
  },
  {
    what: "logit_bias out of vocabulary",
    body: { messages: hello, logit_bias: { "99999": 1 } },
    param: "logit_bias",
    says: "token_id(s) [99999] in logit_bias contain out-of-vocab token ids. Vocabulary size:",
  },
  {
    what: "allowed_token_ids empty",
    body: { messages: hello, allowed_token_ids: [] },
    param: "allowed_token_ids",
    says: "allowed_token_ids is not None and empty!",
  },
  {
    what: "allowed_token_ids out of vocabulary",
    body: { messages: hello, allowed_token_ids: [99_999] },
    param: "allowed_token_ids",
    says: "allowed_token_ids contains out-of-vocab token id!",
  },
  {
    what: "both ways to begin",
    body: { messages: hello, continue_final_message: true },
    says: "continue_final_message and add_generation_prompt are not compatible.",
    param: null,
  },
  {
    what: "a template in the request",
    body: { messages: hello, chat_template: "{{ 1 }}" },
    says: "--trust-request-chat-template",
  },
  {
    what: "no prompt",
    path: TEXT,
    body: {},
    param: "prompt",
    says: "Either prompt or prompt_embeds must be provided and non-empty.",
  },
  {
    what: "an empty prompt",
    path: TEXT,
    body: { prompt: "" },
    param: "prompt",
    says: "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)",
  },
  {
    what: "an empty list of prompts",
    path: TEXT,
    body: { prompt: [] },
    says: "You must pass at least one prompt",
  },
  {
    what: "an empty prompt of ids",
    path: TEXT,
    body: { prompt: [[]] },
    says: "cannot be empty",
  },
  {
    what: "token id out of range",
    path: TEXT,
    body: { prompt: [1, 99_999] },
    says: "Token id 99999 is out of vocabulary",
  },
  {
    what: "suffix",
    path: TEXT,
    body: { prompt: "a", suffix: "b" },
    param: "suffix",
    says: "suffix is only supported for models with FIM completion rendering",
  },
  {
    what: "1025 prompts",
    path: TEXT,
    body: { prompt: Array(1025).fill("a") },
    param: "prompt",
    says: "prompt list length 1025 exceeds the maximum allowed count of 1024. To increase this limit, set the VLLM_MAX_COMPLETION_PROMPTS environment variable.",
  },
  {
    what: "too many prompts times n",
    path: TEXT,
    body: { prompt: Array(100).fill("a"), n: 1000 },
    param: "n",
    says: "The number of prompts times n must be at most 16384, got 100000.",
  },
  {
    what: "prompt embeddings",
    path: TEXT,
    body: { prompt_embeds: "AAAA" },
    param: "prompt_embeds",
    says: "`prompt_embeds`",
  },
  {
    what: "an image",
    body: {
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }],
    },
    says: "tiny is not a multimodal model",
  },
  {
    what: "an empty cache_salt",
    body: { messages: hello, cache_salt: "" },
    param: "cache_salt",
    says: "must be a non-empty string if provided",
  },
];
