import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseSettings } from "../../../server/config.ts";
import { SettingsError } from "../../../server/settings/error.ts";
import { settingsTable } from "../../../server/settings/help.ts";
import { VERSION } from "../../../server/version.ts";

const settings = (...argv: string[]) => parseSettings(argv).settings;

function refusal(...argv: string[]): string {
  try {
    parseSettings(argv);
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
  }
  throw new Error(`Accepted: ${argv.join(" ")}`);
}

function yaml(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "settings-")), "config.yaml");
  writeFileSync(path, text);
  return path;
}

describe("settings", () => {
  it("has vLLM's defaults", () => {
    expect(settings()).toMatchObject({
      host: "127.0.0.1",
      port: 8000,
      seed: 0,
      "max-logprobs": 20,
      "generation-config": "auto",
      "enable-prefix-caching": true,
      "scheduling-policy": "fcfs",
      "shutdown-timeout": 0,
      "tensor-parallel-size": 1,
    });
  });

  it("takes the model as a word or a flag; the word wins", () => {
    expect(settings("a").model).toBe("a");
    expect(settings("--model", "b").model).toBe("b");
    expect(settings("a", "--model", "b").model).toBe("a");
  });

  it("takes dashes and underscores, = and spaces, short names and --no-", () => {
    expect(settings("--max_num_seqs=4", "-tp", "2", "--no-enable-prefix-caching")).toMatchObject({
      "max-num-seqs": 4,
      "tensor-parallel-size": 2,
      "enable-prefix-caching": false,
    });
  });

  it("reads 16k as 16,000 and 16K as 16,384", () => {
    expect(settings("--max-model-len", "16k")["max-model-len"]).toBe(16_000);
    expect(settings("--max-model-len", "16K")["max-model-len"]).toBe(16_384);
    expect(settings("--max-model-len", "auto")["max-model-len"]).toBe(-1);
  });

  it("joins the parts of a JSON flag", () => {
    const given = settings(
      "--speculative-config",
      '{"method": "ngram"}',
      "--speculative-config.num_speculative_tokens",
      "3",
      "--additional_config.neuron_config.batch_size=4",
    );
    expect(given["speculative-config"]).toEqual({ method: "ngram", num_speculative_tokens: 3 });
    expect(given["additional-config"]).toEqual({ neuron_config: { batch_size: 4 } });
  });

  it("adds to lists by parts, and puts an object where none was", () => {
    const given = settings(
      ...["--hf-overrides", '{"list": ["w"], "a": 1}', "--hf-overrides.list+", "x,y"],
      ...["--hf-overrides.new+", "z", "--hf-overrides.a.b", "2"],
    );
    expect(given["hf-overrides"]).toEqual({ list: ["w", "x", "y"], new: ["z"], a: { b: 2 } });
  });

  it("takes what follows -- as words, and nothing of an empty file or an empty line", () => {
    expect(settings("--port", "1", "--", "m")).toMatchObject({ port: 1, model: "m" });
    expect(settings("--config", yaml("")).port).toBe(8000);
    expect(settings("--config", yaml("port:\nseed: 3"))).toMatchObject({ port: 8000, seed: 3 });
  });

  it("takes several values", () => {
    expect(settings("--served-model-name", "a", "b", "--port", "1")["served-model-name"]).toEqual([
      "a",
      "b",
    ]);
    expect(settings("--allowed-origins", '["x", "y"]')["allowed-origins"]).toEqual(["x", "y"]);
  });

  it("reads a file; the command line wins over it, and it over the environment", () => {
    const path = yaml("port: 9\nmax_num_seqs: 3\nserved-model-name: [x, y]\nstrict: true\n");
    const { settings: given } = parseSettings(["--config", path, "--port", "7"], {
      TRAINYARD_PORT: "5",
      TRAINYARD_HOST: "0.0.0.0",
    });
    expect(given).toMatchObject({
      port: 7,
      host: "0.0.0.0",
      "max-num-seqs": 3,
      "served-model-name": ["x", "y"],
      strict: true,
    });
  });

  it("names the variable whose value is wrong, and takes an empty one for none", () => {
    const given = (env: Record<string, string>) => parseSettings([], env).settings;
    expect(() => given({ TRAINYARD_PORT: "abc" })).toThrow("TRAINYARD_PORT must be a whole number");
    expect(() => settings("--port", "")).toThrow('--port must be a whole number, got "".');
    expect(given({ TRAINYARD_PORT: "", TRAINYARD_DEVICE: "" })).toMatchObject({ port: 8000 });
  });

  it("reads switches of the environment as numbers, as vLLM does", () => {
    const on = (text: string) =>
      parseSettings([], { VLLM_SERVER_DEV_MODE: text }).settings["server-dev-mode"];
    expect(["2", "-1", " 1 ", "true"].map(on)).toEqual([true, true, true, true]);
    expect(["0", "00", "", "false"].map(on)).toEqual([false, false, false, false]);
    expect(() => on("yes please")).toThrow("VLLM_SERVER_DEV_MODE must be");
  });

  it("adds VLLM_API_KEY", () => {
    const { settings: given } = parseSettings(["--api-key", "a"], { VLLM_API_KEY: "b" });
    expect(given["api-key"]).toEqual(["a", "b"]);
  });

  it("warns of flags without effect", () => {
    expect(parseSettings(["--enforce-eager", "--dtype", "half"]).warnings).toEqual([
      "--enforce-eager has no effect: there are no graphs captured at start to leave out.",
      "--dtype has no effect: weights are read as stored and computed as the device does.",
    ]);
  });

  it.each([
    [["--prot", "1"], "unknown option '--prot'"],
    [["--port", "70000"], "--port must be in 0 to 65535, got 70000."],
    [["--port", "x"], "--port must be a whole number, got x."],
    [["--max-num-seqs", "0"], "--max-num-seqs must be at least 1, got 0."],
    [["--device", "gpu"], "--device must be one of null, cpu, trainium, got gpu."],
    [["--time-scale", "-1"], "--time-scale must be above 0, got -1."],
    [["--time-scale", "0"], "--time-scale must be above 0, got 0."],
    [["--time-scale", "x"], "--time-scale must be a number, got x."],
    [["--step-timeout", "0"], "--step-timeout must be above 0, got 0."],
    [["--max-model-len", "12q"], "must be a whole number, such as 4096, 16k or 1M, got 12q."],
    [["--hf-overrides", "[1]"], "--hf-overrides must be a JSON object"],
    [["--hf-overrides.a"], "--hf-overrides.a needs a value."],
    [["--allowed-origins", '["a"'], "--allowed-origins must be a list"],
    [["--collect-detailed-traces", "model", "gpu"], "must be of model, worker, all, not gpu"],
    [["--config", yaml("hf-overrides: 3\nhf-overrides.a: 1")], '"hf-overrides" is no object'],
    [["--ssl-keyfile", "a"], "--ssl-keyfile is given without --ssl-certfile"],
    [["--ssl-certfile", "a"], "--ssl-certfile is given without --ssl-keyfile"],
    [["--ssl-ca-certs", "a"], "--ssl-ca-certs is given without --ssl-certfile"],
    [["--ssl-cert-reqs", "3"], "must be 0, 1 or 2"],
    [["--fingerprint-mode", "custom"], "needs --fingerprint-value"],
    [["--enable-prefix-caching.x", "1"], "--enable-prefix-caching has no parts"],
    [["--enable-sleep-mode"], "--enable-sleep-mode is not supported: weights stay where they are."],
    [["--max-lora-rank", "9"], "--max-lora-rank must be one of 1, 8, 16, 32"],
    [["--pipeline-parallel-size", "2"], "pipeline parallelism is not supported"],
    [["--speculative-config", "ngram"], "must be a JSON object"],
    [
      ["--speculative-config=x", "--speculative-config.method", "ngram"],
      "must be a JSON object, got x",
    ],
    [["--nothing.at", "1"], "unknown option '--nothing'"],
    [["--config", "/nowhere.yaml"], "cannot read /nowhere.yaml"],
    [["--config", yaml("prot: 1")], 'unknown setting "prot"'],
    [["--config", yaml("- a")], "one setting a line"],
    [["a", "b"], "too many arguments"],
  ])("refuses %j", (argv, message) => {
    expect(refusal(...argv)).toContain(message);
  });

  it("takes short spellings, alone, joined, attached and with parts", () => {
    expect(settings("-tp=2", "-ep", "-sc", '{"method":"ngram"}')).toMatchObject({
      "tensor-parallel-size": 2,
      "enable-expert-parallel": true,
      "speculative-config": { method: "ngram" },
    });
    for (const level of [["-O3"], ["-O=2"], ["-O", "1"], ["-O0"]]) {
      expect(parseSettings(level).warnings).toEqual([
        "--optimization-level has no effect: there is no compiler to configure.",
      ]);
    }
    expect(
      parseSettings([
        "-cc.pass_config.fuse_allreduce_rms=true",
        "-cc.custom_ops+",
        "+rms_norm,none",
      ]).warnings,
    ).toHaveLength(1);
    expect(
      settings("-sc.method", "ngram", "-sc.num_speculative_tokens=4", "--port=7"),
    ).toMatchObject({
      "speculative-config": { method: "ngram", num_speculative_tokens: 4 },
      port: 7,
    });
    expect(
      settings("--hf_overrides.rope_scaling.original_max_position_embeddings", "32k")[
        "hf-overrides"
      ],
    ).toEqual({ rope_scaling: { original_max_position_embeddings: 32_000 } });
  });

  it("reads a file as vLLM does: no-… keys, lists, nested objects, parts", () => {
    const path = yaml(
      [
        "no-enable-prefix-caching: true",
        "no_async_scheduling: false",
        "max-cudagraph-capture-size: 2048",
        "cudagraph_capture_sizes: [1, 2, 4]",
        "speculative-config:",
        "  method: ngram",
        "speculative-config.num_speculative_tokens: 3",
        "no-enable-dbo: true",
      ].join("\n"),
    );
    const { settings: given, warnings } = parseSettings(["--config", path]);
    expect(given).toMatchObject({
      "enable-prefix-caching": false,
      "async-scheduling": true,
      "speculative-config": { method: "ngram", num_speculative_tokens: 3 },
    });
    expect(warnings.map((line) => line.split(" ")[0])).toEqual([
      "--max-cudagraph-capture-size",
      "--cudagraph-capture-sizes",
    ]);
    expect(settings("--config", path, "--enable-prefix-caching")["enable-prefix-caching"]).toBe(
      true,
    );
    expect(refusal("--config", yaml("no-port: true"))).toContain('unknown setting "no-port"');
    expect(refusal("--config", yaml("no-strict: 3"))).toContain("must be true or false, got 3");
  });

  it("takes a refused flag in silence where it asks for what happens anyway", () => {
    const argv = ["--task", "generate", "--no-enable-sleep-mode", "-dcp", "1", "--nnodes=1"];
    expect(parseSettings(argv).warnings).toEqual([]);
    expect(refusal("--task", "embed")).toContain("only generation is served; see --runner");
    expect(refusal("-dcp", "2")).toContain("--decode-context-parallel-size is not supported");
  });

  it("makes a speculative config of its parts, and refuses a key given twice", () => {
    expect(settings("--spec-method", "ngram", "--spec-tokens", "2")["speculative-config"]).toEqual({
      method: "ngram",
      num_speculative_tokens: 2,
    });
    expect(refusal("-sc.method", "ngram", "--spec-method", "eagle3")).toContain("give one");
  });

  it("says of a secret only that it is wrong", () => {
    expect(refusal("--api-key", "[sesame")).not.toContain("sesame");
  });

  it("prints help with groups, defaults and environment names", () => {
    let text = "";
    const out = (part: string): void => {
      text += part;
    };
    expect(() => parseSettings(["--help"], {}, { out, err: out })).toThrow(SettingsError);
    expect(text).toContain("Engine:");
    expect(text).toMatch(
      /--port <value>\s+Port to listen on; 0: any free one. \(default: 8000,\s+env: TRAINYARD_PORT\)/,
    );
  });

  it.each([
    ["max_num_seqs", "--max-num-seqs N\n    Requests in a step at most. (default: none)\n"],
    ["enable-sleep-mode", "--enable-sleep-mode\n    Not supported: weights stay where they are.\n"],
    ["dtype", "--dtype\n    Without effect:"],
    ["Observability", "--log-level "],
    ["all", "Usage: trainyard serve"],
  ])("prints help on %s alone", (topic, expected) => {
    let text = "";
    const out = (part: string): void => {
      text += part;
    };
    expect(() => parseSettings([`--help=${topic}`], {}, { out, err: out })).toThrow(SettingsError);
    expect(text).toContain(expected);
  });

  it("is printed in SETTINGS.md as it is", () => {
    expect(readFileSync("server/SETTINGS.md", "utf8")).toBe(settingsTable());
  });

  it("has the version of the package", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(VERSION).toBe(version);
  });
});
