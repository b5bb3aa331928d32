/**
 * Asks a real vLLM for the families of its /metrics and writes them down:
 *
 *     node --import tsx scripts/maintain/goldens/metrics.ts VLLM_URL
 *
 * VLLM_URL serves models/bundled/trainyard-tiny with FLAGS and VLLM_SERVER_DEV_MODE=1.
 */
import { writeFileSync } from "node:fs";
import { exercise, metricFamilies } from "../../../test/conformance/vllm/metric-families.ts";

const VERSION = "0.32.0";
const FLAGS =
  '--served-model-name m --enable-auto-tool-choice --tool-call-parser hermes --kv-cache-metrics --speculative-config {"method":"ngram","num_speculative_tokens":2,"prompt_lookup_max":3}';
const GOLDENS = new URL("../../../test/conformance/vllm/metrics.json", import.meta.url);

const [url = ""] = process.argv.slice(2);
const { version } = (await (await fetch(`${url}/version`)).json()) as { version: string };
if (version !== VERSION) throw new Error(`${url} is ${version}; goldens are ${VERSION}'s.`);
await exercise(url);
const families = metricFamilies(await (await fetch(`${url}/metrics`)).text());
const document = { vllm: version, flags: FLAGS, families };
writeFileSync(GOLDENS, `${JSON.stringify(document, null, 1)}\n`);
process.stdout.write(`${families.length} families\n`);
