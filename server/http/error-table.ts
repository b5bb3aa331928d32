/**
 * The table of errors: what a client is told, with which status, and when. ERRORS.md is
 * printed from it, and a test looks for errors that stand outside it.
 */

interface ErrorRow {
  readonly status: number;
  readonly type: string;
  /** `error`: vLLM's `{"error": {message, type, param, code}}`. `detail`, `text`, `plain`: as vLLM's framework and middleware answer. */
  readonly body: "error" | "detail" | "text" | "plain" | "none";
  readonly when: string;
}

export const ERRORS = {
  invalid: {
    status: 400,
    type: "Bad Request",
    body: "error",
    when: "The body is not JSON, a field is missing or of a wrong type: found before the meaning is looked at.",
  },
  unparsed: {
    status: 400,
    type: "Bad Request",
    body: "detail",
    when: "The body is no text, or nested deeper, or a number of more digits, than Python reads.",
  },
  "bad-request": {
    status: 400,
    type: "BadRequestError",
    body: "error",
    when: "The shape is right, the meaning is not: a value out of range, a prompt that does not fit, a grammar that does not compile, a field that is not supported.",
  },
  "invalid-input": {
    status: 400,
    type: "InvalidUserInput",
    body: "error",
    when: "An adapter to load or unload lacks a name or a path, or its name is taken.",
  },
  "invalid-request": {
    status: 400,
    type: "invalid_request_error",
    body: "error",
    when: "The same in /v1/responses, where vLLM says it so.",
  },
  "no-http": {
    status: 400,
    type: "",
    body: "plain",
    when: "What came is no HTTP; the connection is closed.",
  },
  "other-origin": {
    status: 400,
    type: "",
    body: "plain",
    when: "A browser asks before a request of another origin's page, which `--allowed-origins`, `--allowed-methods` or `--allowed-headers` leave out.",
  },
  unauthorized: {
    status: 401,
    type: "Unauthorized",
    body: "text",
    when: "`--api-key` is set and the request carries none that is known.",
  },
  "no-socket": {
    status: 403,
    type: "",
    body: "none",
    when: "A WebSocket is asked for where there is none.",
  },
  "switched-off": {
    status: 403,
    type: "PermissionDeniedError",
    body: "error",
    when: "The path is served with `--enable-scale-out` alone.",
  },
  "not-found": {
    status: 404,
    type: "NotFoundError",
    body: "error",
    when: "The model is not served here.",
  },
  "response-not-found": {
    status: 404,
    type: "invalid_request_error",
    body: "error",
    when: "A response of /v1/responses was never kept, or is kept no more.",
  },
  "no-route": { status: 404, type: "Not Found", body: "detail", when: "There is no such path." },
  "no-method": {
    status: 405,
    type: "Method Not Allowed",
    body: "detail",
    when: "The path is served by other methods, which `allow` names.",
  },
  timeout: {
    status: 408,
    type: "RequestTimeoutError",
    body: "error",
    when: "No more of the body came for a while.",
  },
  "late-request": {
    status: 408,
    type: "",
    body: "plain",
    when: "A request had not arrived whole after five minutes, or its headers after one; the connection is closed.",
  },
  "too-large": {
    status: 413,
    type: "RequestEntityTooLargeError",
    body: "error",
    when: "The body is larger than `--max-request-body-bytes`.",
  },
  "large-headers": {
    status: 431,
    type: "",
    body: "plain",
    when: "The headers are larger than 64 KiB; the connection is closed.",
  },
  internal: {
    status: 500,
    type: "InternalServerError",
    body: "error",
    when: "A bug of ours, or a device that failed three times; the log has its story.",
  },
  overloaded: {
    status: 503,
    type: "ServiceUnavailableError",
    body: "error",
    when: "The queue, a pool of threads or the memory for kept bodies is full, or the server is shutting down; `retry-after` says when to come again.",
  },
  "asked-for": {
    status: 500,
    type: "",
    body: "error",
    when: "A test asked for it (`--inject`, `--matches`): any status, its type as vLLM names it.",
  },
  unhealthy: {
    status: 503,
    type: "",
    body: "none",
    when: "`/health` and `/ping` alone: an engine has work and makes no progress for `--step-timeout`, or its steps fail.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** Codes on /v1/realtime: of `error` events, and of a response that failed. */
export const REALTIME_ERRORS = {
  invalid_json: "The event is not JSON.",
  unknown_event: "There is no client event of this type.",
  invalid_value: "A field of the event cannot be what it is; `param` names it.",
  audio_not_supported: "Audio is asked for or sent; this server speaks text.",
  item_not_found: "The item is not in the conversation.",
  item_id_taken: "Another item has this id.",
  too_many_items: "The conversation is full.",
  conversation_too_large: "The conversation's texts are larger than one may keep.",
  conversation_already_has_active_response: "A response is under way: cancel it, or wait.",
  response_cancel_not_active: "There is no response to cancel.",
  model_not_found: "The model that the address names is not served; the socket is closed.",
  engine_error: "A response failed under way (type `server_error`).",
  internal: "A bug of ours (type `server_error`).",
} as const;

export type RealtimeCode = keyof typeof REALTIME_ERRORS;

/** What becomes of the classes of errors that are thrown below the routes. */
export const BECOME = {
  JsonError: "invalid",
  PythonLimit: "unparsed",
  PromptTooLongError: "bad-request",
  TextRefusedError: "bad-request",
  ChatTemplateError: "bad-request",
  GrammarError: "bad-request",
  SchemaError: "bad-request",
  ThreadTaskError: "bad-request",
  QueueFullError: "overloaded",
  EngineClosedError: "overloaded",
  EncoderBusyError: "overloaded",
  ThreadBusyError: "overloaded",
  AdapterError: "bad-request",
  AdapterMissingError: "not-found",
  AbortedError: "internal",
  ApiError: "itself",
  StatusError: "itself",
  RealtimeError: "itself",
  SettingsError: "no start",
  ModelConfigError: "no start",
  CheckpointError: "no start",
  HubError: "no start",
  ShardError: "no start",
  EncoderStartError: "no start",
} as const satisfies Record<string, ErrorCode | "itself" | "no start">;

const BODIES: Readonly<Record<ErrorRow["body"], string>> = {
  error: '`{"error": {message, type, param, code}}`',
  detail: '`{"detail": …}`',
  text: '`{"error": "Unauthorized"}`',
  plain: "the message",
  none: "none",
};

/** ERRORS.md. */
export function errorsTable(): string {
  return [
    "# Errors",
    "",
    "Printed from `server/http/error-table.ts`; a test compares. `param` names the field at fault where vLLM names it;",
    '/v1/messages answers `{"type": "error", "error": {type, message}}` instead. Once a stream has begun its status is',
    "sent: an error is then the last event.",
    "",
    "| code | status | type | body | when |",
    "|---|---|---|---|---|",
    ...Object.entries(ERRORS).map(
      ([code, { status, type, body, when }]) =>
        `| ${code} | ${status} | ${type} | ${BODIES[body]} | ${when} |`,
    ),
    "",
    "On /v1/realtime, as `error` events of type `invalid_request_error` or in `status_details` of a response; codes of the first table too:",
    "",
    "| code | when |",
    "|---|---|",
    ...Object.entries(REALTIME_ERRORS).map(([code, when]) => `| ${code} | ${when} |`),
    "",
    "What is thrown below the routes becomes:",
    "",
    "| class | code |",
    "|---|---|",
    ...Object.entries(BECOME).map(([name, code]) => `| ${name} | ${code} |`),
    "",
    "`no start`: the server ends before it listens, with one line on standard error and the code 1; SettingsError with 2.",
    "",
  ].join("\n");
}
