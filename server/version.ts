/** Of package.json; a test compares. */
export const VERSION = "0.1.0";

/** The vLLM whose answers this server gives; GET /version says it, since clients decide by it. */
export const VLLM_VERSION = "0.32.0";
