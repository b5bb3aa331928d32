/** The command line of `trainyard bench serve`, as commander knows it. */
import { Command } from "commander";

export const DATASETS = [
  "random",
  "sonnet",
  "sharegpt",
  "custom",
  "prefix_repetition",
  "timed_trace",
  "burstgpt",
] as const;
export type DatasetName = (typeof DATASETS)[number];

/** As in vLLM, dashes and underscores are equal in flags. */
export function dashed(argument: string): string {
  if (!argument.startsWith("--")) return argument;
  const [name = "", ...rest] = argument.split("=");
  return [name.replaceAll("_", "-"), ...rest].join("=");
}

export function benchCommand(print: (text: string) => void): Command {
  return new Command("trainyard bench serve")
    .description(
      "Load an OpenAI-compatible server; flags, metrics and result file of `vllm bench serve`.",
    )
    .option("--backend <name>", "openai, vllm or openai-chat", "openai")
    .option("--base-url <url>", "instead of --host and --port")
    .option("--host <host>", "", "127.0.0.1")
    .option("--port <port>", "", "8000")
    .option("--endpoint <path>", "default /v1/completions, /v1/chat/completions with openai-chat")
    .option("--model <id>", "default: the first of GET /v1/models")
    .option("--served-model-name <id>", "name sent in requests")
    .option("--tokenizer <folder>", "folder with tokenizer.json; default: the server's /tokenize")
    .option("--header <key=value...>", "sent with each request")
    .option("--extra-body <json>", "merged into each body")
    .option("--insecure", "accept any TLS certificate")
    .option("--num-prompts <n>", "", "1000")
    .option("--request-rate <rps>", "requests a second; inf: all at once", "inf")
    .option("--burstiness <b>", "shape of the gamma gaps; 1: Poisson", "1")
    .option("--max-concurrency <n>", "requests under way at most")
    .option("--ramp-up-strategy <kind>", "linear or exponential")
    .option("--ramp-up-start-rps <rps>", "")
    .option("--ramp-up-end-rps <rps>", "")
    .option("--num-warmups <n>", "requests before the measured ones", "0")
    .option("--ready-check-timeout-sec <s>", "wait for a first good answer", "0")
    .option("--self-timed", "requests bring their arrival (timed_trace)")
    .option("--dataset-name <name>", DATASETS.join(", "), "random")
    .option("--dataset-path <file>", "also .gz")
    .option("--disable-shuffle", "keep the dataset's order")
    .option("--no-oversample", "do not repeat a short dataset")
    .option("--input-len <n>", "for every dataset that has one")
    .option("--output-len <n>", "for every dataset that has one")
    .option("--random-input-len <n>", "", "1024")
    .option("--random-output-len <n>", "", "128")
    .option(
      "--random-range-ratio <r>",
      'number, or {"input": r, "output": r}; lengths in [L(1−r), L(1+r)]',
      "0",
    )
    .option("--random-prefix-len <n>", "tokens that all prompts share", "0")
    .option("--sonnet-input-len <n>", "", "550")
    .option("--sonnet-output-len <n>", "", "150")
    .option("--sonnet-prefix-len <n>", "", "200")
    .option("--sharegpt-output-len <n>", "instead of the dataset's")
    .option("--custom-output-len <n>", "−1: each line's output_tokens", "256")
    .option("--prefix-repetition-prefix-len <n>", "", "256")
    .option("--prefix-repetition-suffix-len <n>", "", "256")
    .option("--prefix-repetition-num-prefixes <n>", "", "10")
    .option("--prefix-repetition-output-len <n>", "", "128")
    .option("--burstgpt-model <name>", "rows kept; all: every row", "GPT-4")
    .option("--seed <n>", "", "0")
    .option("--ignore-eos", "answers run to their length")
    .option("--temperature <t>", "")
    .option("--top-p <p>", "")
    .option("--top-k <k>", "")
    .option("--min-p <p>", "")
    .option("--frequency-penalty <p>", "")
    .option("--presence-penalty <p>", "")
    .option("--repetition-penalty <p>", "")
    .option("--logprobs <n>", "")
    .option("--percentile-metrics <names>", "ttft,tpot,itl,e2el", "ttft,tpot,itl")
    .option("--metric-percentiles <list>", "", "99")
    .option("--goodput <limits...>", "ttft:ms tpot:ms e2el:ms")
    .option("--save-result", "write the result as JSON")
    .option("--save-detailed", "with each request's figures")
    .option("--append-result", "add to the file instead of replacing it")
    .option("--result-dir <folder>", "", ".")
    .option("--result-filename <name>", "")
    .option("--metadata <key=value...>", "added to the result")
    .option("--label <text>", "")
    .option("--profile", "POST /start_profile before, /stop_profile after")
    .option("--request-id-prefix <text>", "x-request-id of each request")
    .option("--disable-tqdm", "no progress bar")
    .option("--trust-remote-code", "no effect: nothing remote is run")
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} });
}
