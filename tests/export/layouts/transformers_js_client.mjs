// Load an exported folder with Transformers.js and print what it gives for each text, as JSON.
// `node transformers_js_client.mjs FOLDER` runs in a folder where the package is installed.
// Texts come as JSON on standard input.
import { readFileSync } from "node:fs";
import { AutoModel, AutoModelForSequenceClassification, AutoTokenizer, env } from "@huggingface/transformers";

env.allowRemoteModels = false;
const folder = process.argv[2];
const { task, texts } = JSON.parse(readFileSync(0, "utf-8"));
const vectors = task === "FeatureExtraction";
const tokenizer = await AutoTokenizer.from_pretrained(folder);
const type = vectors ? AutoModel : AutoModelForSequenceClassification;
const model = await type.from_pretrained(folder, { session_options: { intraOpNumThreads: 1, interOpNumThreads: 1 } });
const printed = [];
for (const text of texts) {
  const [first, text_pair = null] = Array.isArray(text) ? text : [text];
  const outputs = await model(await tokenizer(first, { text_pair, truncation: true }));
  const values = Array.from((vectors ? outputs.last_hidden_state : outputs.logits).data);
  const label = vectors ? null : model.config.id2label[values.indexOf(Math.max(...values))];
  printed.push({ values, label });
}
console.log(JSON.stringify(printed));
