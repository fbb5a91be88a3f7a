// Edit functions of peers on npm behind lines of JSON: {content, old, new, patch} in, the file's new content or null out.
// node node_peer.mjs gemini|cline-editor|cline-patch NODE_MODULES, or opencode BINARY
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , name, place] = process.argv;
const load = (file) => import(pathToFileURL(resolve(place, file)).href);
const folder = mkdtempSync(join(tmpdir(), "peer-"));
const path = join(folder, "file.py");

async function gemini() {
  const { calculateReplacement } = await load("@google/gemini-cli-core/dist/src/tools/edit.js");
  const config = new Proxy({}, { get: () => () => undefined });
  return async ({ content, old, new: text }) => {
    const newline = content.includes("\r\n");
    const params = { file_path: path, old_string: old, new_string: text };
    const currentContent = content.replaceAll("\r\n", "\n");
    const found = await calculateReplacement(config, { params, currentContent });
    if (found.occurrences !== 1) return null;
    return newline ? found.newContent.replaceAll("\n", "\r\n") : found.newContent;
  };
}

async function cline(make, request) {
  const module = await load("@cline/core/dist/index.js");
  const run = module[make]({ restrictToCwd: false });
  return async (one) => {
    writeFileSync(path, one.content);
    await run(request(one), folder, {});
    return readFileSync(path, "utf8");
  };
}

function opencode() {
  // The published program carries its JavaScript; its replace function and all it calls stand together.
  const text = readFileSync(place).toString("latin1");
  const end = text.indexOf("Could not find oldString in the file. It must match exactly, including whitespace, indentation");
  const first = text.lastIndexOf("=function*(o,e){yield e}", end);
  const start = text.lastIndexOf("=0.65,", first) - 2;
  const source = text.slice(start, text.indexOf('import ', end));
  const replace = /function (\w+)\(\w+,\w+,\w+,\w+=!1\)\{if\(\w+===\w+\)throw Error\("No changes/.exec(source)[1];
  const run = new Function(`var ${source.replace(/^var /, "")}; return ${replace}`)();
  return ({ content, old, new: text }) => {
    const newline = content.includes("\r\n") ? "\r\n" : "\n";
    const [search, put] = [old, text].map((one) => one.replaceAll("\r\n", "\n").replaceAll("\n", newline));
    return run(content, search, put, false);
  };
}

const peers = {
  gemini,
  opencode,
  "cline-editor": () => cline("createEditorExecutor", (one) => ({ path, old_text: one.old, new_text: one.new })),
  "cline-patch": () => cline("createApplyPatchExecutor", (one) => ({ input: one.patch })),
};

const apply = await peers[name]();
const answers = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true;
console.log = console.error = () => {};
for await (const line of createInterface({ input: process.stdin })) {
  let result = null;
  try {
    result = (await apply(JSON.parse(line))) ?? null;
  } catch {
    // a refusal
  }
  answers(JSON.stringify(result) + "\n");
}
process.exit(0);
