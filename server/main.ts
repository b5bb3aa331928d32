/**
 * `trainyard serve`: settings → world → app; listens, and drains on SIGTERM. All
 * that can go wrong at the start is one clear line and an exit code.
 */
import { readFileSync } from "node:fs";
import type { ServerOptions as HttpsOptions } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { trustText } from "../device/trust.ts";
import { buildApp } from "./app.ts";
import { parseSettings } from "./config.ts";
import { createLogger } from "./http/log.ts";
import { boundConnections, connectionsLeft, listenOptions, startError } from "./listen.ts";
import { Progress } from "./progress.ts";
import { SettingsError } from "./settings/error.ts";
import type { Settings } from "./settings/table.ts";
import { logStats } from "./stats-log.ts";
import { withDefaultModel } from "./world/default-model.ts";
import { memoryLines } from "./world/machine.ts";
import { optional } from "./world/optional.ts";
import { startUpFields } from "./world/start-up.ts";
import { buildWorld, type World } from "./world/world.ts";

/** Resolves with the exit code when the server has ended. */
export async function run(argv: readonly string[]): Promise<number> {
  const out = (text: string): void => void process.stdout.write(text);
  let logger: Logger;
  let running: RunningServer;
  try {
    const parsed = parseSettings(argv, process.env, { out, err: () => {} });
    const settings = withDefaultModel(parsed);
    logger = createLogger(settings["log-level"]);
    for (const warning of parsed.warnings) logger.warn(warning);
    running = await serve(settings, logger);
  } catch (error) {
    if (error instanceof SettingsError && error.exitCode === 0) return 0;
    process.stderr.write(`trainyard serve: ${startError(error)}\n`);
    return error instanceof SettingsError ? error.exitCode : 1;
  }
  return untilSignal(running, logger);
}

export interface RunningServer {
  readonly world: World;
  readonly app: FastifyInstance;
  readonly url: string;
  /**
   * Lets requests end for so many seconds, or until `hurry`, then aborts them and closes
   * everything. Who asks meanwhile is answered 503.
   */
  stop(seconds: number, hurry?: Promise<unknown>): Promise<void>;
}

/** Builds and listens. */
export async function serve(settings: Settings, logger: Logger): Promise<RunningServer> {
  const world = await openWorld(settings, logger);
  let draining = false;
  const start = world.simulatedStart;
  try {
    if (start !== undefined) {
      logger.info({ start: startUpFields(start) }, start.line);
      await start.run();
    }
    const app = await buildApp({
      serving: world.serving,
      metrics: world.metrics,
      ...optional("fixed", world.fixed),
      ...optional("pooler", world.pooler),
      logger,
      draining: () => draining,
      ...httpsOf(settings),
    });
    const what = `Serving ${world.serving.names[0]} with the ${world.device.name} device on`;
    const url = await app.listen({
      ...(await listenOptions(settings)),
      listenTextResolver: (address) => `${what} ${address}`,
    });
    boundConnections(app.server, connectionsLeft(), logger);
    const { simulation, trust } = world.serving;
    if (simulation !== undefined) logger.info(`Simulated: ${simulation}`);
    if (trust !== undefined) logger.info(`80 % bands: ${trustText(trust)}`);
    for (const note of world.notes) logger.warn(note);
    if (settings.inject.length > 0)
      logger.warn(`Failures on purpose: ${settings.inject.join(" ")}`);
    for (const line of memoryLines(world, settings)) logger.info(line);
    const total = Math.round(performance.now());
    logger.info(
      { start: { ...world.startup, total } },
      `Ready after ${(total / 1000).toFixed(1)} s`,
    );
    const interval = settings["disable-log-stats"] ? 0 : settings["log-stats-interval"];
    const { metrics, serving } = world;
    const timeScale = settings["time-scale"] ?? 1;
    const ended = () => metrics.load.ended(serving.clock.now());
    const endStats =
      interval > 0
        ? logStats(serving.engines, logger, { seconds: interval, ended, timeScale })
        : () => {};
    const stop = async (seconds: number, hurry?: Promise<unknown>): Promise<void> => {
      draining = true;
      endStats();
      const { engines } = world.serving;
      if (seconds > 0) {
        const late = sleep(seconds * 1000, undefined, { ref: false });
        await Promise.race([engines.idle(), late, ...(hurry ? [hurry] : [])]);
      }
      await world.close();
      await sleep(20); // the last events of streams are written after the engine's end
      await app.close();
    };
    return { world, app, url, stop };
  } catch (error) {
    await world.close();
    throw error;
  }
}

async function openWorld(settings: Settings, logger: Logger): Promise<World> {
  const loading = loadingBar(logger);
  const world = await buildWorld(
    settings,
    (error) => logger.error({ err: error }, "a request's answer or an engine's listener failed"),
    (done, total) => loading.to(done, total),
  );
  loading.end();
  return world;
}

/** A bar on a terminal, lines of the log elsewhere; nothing of what takes under two seconds. */
function loadingBar(logger: Logger): Progress {
  const { isTTY } = process.stderr;
  const write = (text: string): void => {
    if (isTTY) process.stderr.write(text);
    else logger.info(text.trim());
  };
  return new Progress("Loading weights", 0, {
    unit: "parts",
    barAfter: 2000,
    output: { isTTY, write },
  });
}

/** Node's names of what the `--ssl-…` flags say; empty: plain HTTP. Throws SettingsError. */
function httpsOf(settings: Settings): { readonly https?: HttpsOptions } {
  const read = (flag: "ssl-keyfile" | "ssl-certfile" | "ssl-ca-certs"): string | undefined => {
    const path = settings[flag];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw new SettingsError(`--${flag}: ${(error as Error).message}`); // the file system throws Errors
    }
  };
  const [key, cert, ca] = [read("ssl-keyfile"), read("ssl-certfile"), read("ssl-ca-certs")];
  if (key === undefined || cert === undefined) return {};
  const clients = settings["ssl-cert-reqs"];
  const ciphers = settings["ssl-ciphers"];
  return {
    https: {
      key,
      cert,
      ...(ca !== undefined && { ca }),
      ...(ciphers !== undefined && { ciphers }),
      requestCert: clients > 0,
      rejectUnauthorized: clients === 2,
    },
  };
}

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

interface EndingSignals {
  readonly first: Promise<NodeJS.Signals>;
  readonly second: Promise<NodeJS.Signals>;
  /** No signal is heard any more. */
  off(): void;
}

/** Both signals are heard from the start: they may come in one turn of the loop. */
function endingSignals(): EndingSignals {
  const tell: ((signal: NodeJS.Signals) => void)[] = [];
  const next = () => new Promise<NodeJS.Signals>((resolve) => tell.push(resolve));
  const [first, second] = [next(), next()];
  const off = (): void => {
    for (const name of SIGNALS) process.off(name, hear);
  };
  const hear = (signal: NodeJS.Signals): void => {
    tell.shift()?.(signal);
    if (tell.length === 0) off();
  };
  for (const name of SIGNALS) process.on(name, hear);
  return { first, second, off };
}

/** A signal drains; a second one aborts what is left and ends at once, with 130. */
async function untilSignal({ stop, world }: RunningServer, logger: Logger): Promise<number> {
  const seconds = world.serving.settings["shutdown-timeout"];
  const { engines } = world.serving;
  const { first, second, off } = endingSignals();
  const signal = await first;
  const { running, waiting } = engines;
  logger.info({ signal, running, waiting, seconds }, "Shutting down");
  const stopped = stop(seconds, second);
  const code = await Promise.race([stopped.then(() => 0), second.then(() => 130)]);
  await stopped;
  off();
  logger.info({ code }, "Stopped");
  return code;
}
