#!/usr/bin/env -S GLIBC_TUNABLES=glibc.malloc.hugetlb=1 node --concurrent-recompilation-delay=2 --max-semi-space-size=32
/** The bin: `trainyard <command> …`. A command is one line here and one module. */
import { constants } from "node:os";
import { CommanderError } from "commander";
import { reason, UsageError } from "./usage.ts";

interface CommandModule {
  /** Resolves with the exit code. */
  run(argv: readonly string[]): Promise<number>;
}

interface CommandRow {
  readonly sentence: string;
  readonly load: () => Promise<CommandModule>;
}

const COMMANDS: Readonly<Record<string, CommandRow>> = {
  serve: {
    sentence: "serve a model over HTTP, as vLLM does",
    load: () => import("../server/main.ts"),
  },
  chat: {
    sentence: "talk to a model in the terminal",
    load: () => import("./commands/chat.ts"),
  },
  "run-batch": {
    sentence: "answer a file of requests, as OpenAI's batches are",
    load: () => import("./commands/run-batch.ts"),
  },
  bench: {
    sentence: "load a server and measure it",
    load: () => import("./commands/bench/main.ts"),
  },
  sweep: {
    sentence: "tokens/s against concurrency, simulated or live",
    load: () => import("./commands/sweep/main.ts"),
  },
  plan: {
    sentence: "chips, parallelism and price for a workload",
    load: () => import("./commands/plan/main.ts"),
  },
  pull: {
    sentence: "fetch a model of the hub into its cache",
    load: () => import("./commands/pull.ts"),
  },
  lora: {
    sentence: "consolidate an adapter into its base model",
    load: () => import("./commands/lora.ts"),
  },
  models: {
    sentence: "the catalogue and the hub's cache, with sizes",
    load: () => import("./commands/models.ts"),
  },
  study: {
    sentence: "what the talk claims, asked of the simulated device",
    load: () => import("./commands/study/main.ts"),
  },
  profile: {
    sentence: "where the time of a simulated step goes: a trace and a summary",
    load: () => import("./commands/profile.ts"),
  },
  eval: {
    sentence: "how good a model's answers are, beside how fast they come",
    load: () => import("./commands/eval/main.ts"),
  },
  compare: {
    sentence: "two sweeps, benches, evaluations or profiles: what differs, and why",
    load: () => import("./commands/compare/main.ts"),
  },
  open: {
    sentence: "look at a profile, a sweep or a bench in the browser, without a model",
    load: () => import("./commands/open.ts"),
  },
  health: {
    sentence: "whether a server answers, for a container's health check",
    load: () => import("./commands/health.ts"),
  },
  calibrate: {
    sentence: "correct the simulated device by your own measurements",
    load: () => import("./commands/calibrate/main.ts"),
  },
  validate: {
    sentence: "the simulated device against published measurements",
    load: () => import("./commands/validate/main.ts"),
  },
};

function help(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { sentence }]) => `  ${name.padEnd(11)}${sentence}`,
  );
  return `Usage: trainyard <command> [options]\n\n${lines.join("\n")}\n\ntrainyard <command> --help tells more.\n`;
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-v") {
    const { VERSION } = await import("../server/version.ts");
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const { nearest } = await import("../models/nearest.ts");
    const [close] = nearest(name, Object.keys(COMMANDS), 1);
    const hint = close === undefined ? "" : ` Did you mean ${close}?`;
    process.stderr.write(`trainyard: unknown command "${name}".${hint}\n\n${help()}`);
    return 2;
  }
  try {
    return await (await command.load()).run(rest);
  } catch (error) {
    return failed(name, error);
  }
}

/** The exit code: 0 after help, 2 for what was not understood, 1 for the rest. */
function failed(name: string, error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  process.stderr.write(`trainyard ${name}: ${reason(error)}\n`);
  return error instanceof UsageError || error instanceof CommanderError ? 2 : 1;
}

// The reader of a pipe may have seen enough (`| head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

// The first process of a container has no signals' defaults: what no command hears ends it here.
if (process.pid === 1) {
  for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (process.listenerCount(name) === 1) process.exit(128 + constants.signals[name]);
    });
  }
}

process.exitCode = await main(process.argv.slice(2));
