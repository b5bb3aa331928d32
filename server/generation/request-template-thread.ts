/** Thread entry: renders chat templates that came with requests, and large chats. */
import { parentPort } from "node:worker_threads";
import { createChatTemplate } from "../../models/tokenizer/chat-template.ts";
import { lowerPriority } from "../lower-priority.ts";
import type { TemplateAnswer, TemplateTask } from "./request-template.ts";

lowerPriority();
const port = parentPort;
port?.on("message", (task: TemplateTask) => port.postMessage(answer(task)));
port?.postMessage("ready");

function answer({ source, input }: TemplateTask): TemplateAnswer {
  try {
    return { ok: true, text: createChatTemplate(source).render(input) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
