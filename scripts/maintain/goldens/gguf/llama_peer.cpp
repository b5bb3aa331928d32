// What llama.cpp itself says of a GGUF file, as JSON lines on stdout:
//
//   llama_peer LIBRARIES quantize IN OUT TYPE         Q4_0, Q8_0, Q4_K_M, Q6_K, F16, BF16 or F32
//   llama_peer LIBRARIES hashes MODEL                 every tensor's numbers as F32, FNV-1a of their bytes
//   llama_peer LIBRARIES tokenize MODEL TEXTS         ids of each text (a file, texts apart by a NUL)
//   llama_peer LIBRARIES greedy MODEL STEPS ID,…;ID,… of each prompt: greedy ids, the smallest lead, first and last logits
//   llama_peer LIBRARIES read MODEL ID,…;ID,…       of each text in one batch: the choice after every id, the last logits.
//                                                    Where LIBRARIES has the BLAS backend it widens a batch's weights and
//                                                    rounds no activation: llama.cpp's answer for the file as it is
//
// LIBRARIES is the folder of ggml's backends. Made for make_gguf.py, which compiles it.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "ggml.h"
#include "gguf.h"
#include "llama.h"

static int fail(const std::string & why) {
    fprintf(stderr, "%s\n", why.c_str());
    return 1;
}

static int quantize(const char * from, const char * to, const std::string & type) {
    struct { const char * name; enum llama_ftype ftype; } kinds[] = {
        { "Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0 }, { "Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0 },
        { "Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M }, { "Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K },
        { "F16", LLAMA_FTYPE_MOSTLY_F16 }, { "BF16", LLAMA_FTYPE_MOSTLY_BF16 }, { "F32", LLAMA_FTYPE_ALL_F32 },
    };
    auto params = llama_model_quantize_default_params();
    params.nthread = 1;
    params.allow_requantize = type == "F32";
    for (const auto & kind : kinds) {
        if (type != kind.name) continue;
        params.ftype = kind.ftype;
        return (int) llama_model_quantize(from, to, &params);
    }
    return fail("no such type: " + type);
}

static int hashes(const char * path) {
    ggml_context * tensors = nullptr;
    gguf_context * file = gguf_init_from_file(path, { /*.no_alloc=*/ false, /*.ctx=*/ &tensors });
    if (!file) return fail("no GGUF file");
    for (ggml_tensor * t = ggml_get_first_tensor(tensors); t; t = ggml_get_next_tensor(tensors, t)) {
        if (gguf_find_tensor(file, t->name) < 0) continue;
        const int64_t count = ggml_nelements(t);
        std::vector<float> numbers(count);
        if (t->type == GGML_TYPE_F32) memcpy(numbers.data(), t->data, count * 4);
        else ggml_get_type_traits(t->type)->to_float(t->data, numbers.data(), count);
        uint64_t hash = 0xcbf29ce484222325ULL;
        const auto * bytes = (const unsigned char *) numbers.data();
        for (int64_t i = 0; i < count * 4; i++) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
        printf("{\"name\":\"%s\",\"type\":\"%s\",\"shape\":[%lld,%lld,%lld],\"fnv\":\"%016llx\"}\n", t->name,
            ggml_type_name(t->type), (long long) t->ne[2], (long long) t->ne[1], (long long) t->ne[0],
            (unsigned long long) hash);
    }
    gguf_free(file);
    return 0;
}

static llama_model * load(const char * path) {
    auto params = llama_model_default_params();
    params.n_gpu_layers = 0;
    params.use_extra_bufts = false; // weights as in the file: BLAS reads none that are packed anew
    return llama_model_load_from_file(path, params);
}

static int tokenize(const char * path, const char * texts) {
    llama_model * model = load(path);
    if (!model) return fail("not loaded");
    std::ifstream in(texts, std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::stringstream stream(all);
    for (std::string text; std::getline(stream, text, '\0');) {
        std::vector<llama_token> ids(text.size() + 16);
        const int n = llama_tokenize(llama_model_get_vocab(model), text.data(), text.size(), ids.data(), ids.size(), true, true);
        printf("[");
        for (int i = 0; i < n; i++) printf("%s%d", i ? "," : "", ids[i]);
        printf("]\n");
    }
    return 0;
}

static void print(const char * name, const std::vector<float> & values) {
    printf("\"%s\":[", name);
    for (size_t i = 0; i < values.size(); i++) printf("%s%.7g", i ? "," : "", values[i]);
    printf("]");
}

static llama_context * start(llama_model * model) {
    auto params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = 256;
    params.n_threads = params.n_threads_batch = 1;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    return llama_init_from_model(model, params);
}

static std::vector<std::vector<llama_token>> texts_of(const char * list) {
    std::vector<std::vector<llama_token>> texts;
    std::stringstream stream(list);
    for (std::string text; std::getline(stream, text, ';');) {
        std::stringstream ids(text);
        texts.emplace_back();
        for (std::string id; std::getline(ids, id, ',');) texts.back().push_back(std::stoi(id));
    }
    return texts;
}

static int best_of(const float * logits, int vocabulary) {
    int best = 0;
    for (int i = 1; i < vocabulary; i++) if (logits[i] > logits[best]) best = i;
    return best;
}

static void print(const std::vector<llama_token> & ids) {
    printf("\"output_ids\":[");
    for (size_t i = 0; i < ids.size(); i++) printf("%s%d", i ? "," : "", ids[i]);
    printf("]");
}

static int greedy(const char * path, int steps, const char * prompts) {
    llama_model * model = load(path);
    if (!model) return fail("not loaded");
    llama_context * context = start(model);
    const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (auto & ids : texts_of(prompts)) {
        std::vector<llama_token> output;
        std::vector<float> first, last;
        float margin = 1e30f;
        llama_memory_clear(llama_get_memory(context), true);
        for (int step = 0; step < steps; step++) {
            auto batch = step ? llama_batch_get_one(&output.back(), 1) : llama_batch_get_one(ids.data(), ids.size());
            if (llama_decode(context, batch)) return fail("not decoded");
            const float * logits = llama_get_logits_ith(context, -1);
            last.assign(logits, logits + vocabulary);
            if (!step) first = last;
            const int best = best_of(logits, vocabulary);
            for (int i = 0; i < vocabulary; i++) if (i != best) margin = std::min(margin, logits[best] - logits[i]);
            output.push_back(best);
        }
        printf("{");
        print(output);
        printf(",\"margin\":%.6g,", margin);
        print("first_logits", first);
        printf(",");
        print("last_logits", last);
        printf("}\n");
    }
    return 0;
}

static int read(const char * path, const char * texts) {
    llama_model * model = load(path);
    if (!model) return fail("not loaded");
    llama_context * context = start(model);
    const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (auto & ids : texts_of(texts)) {
        llama_memory_clear(llama_get_memory(context), true);
        llama_batch batch = llama_batch_init(ids.size(), 0, 1);
        for (llama_token id : ids) {
            const int at = batch.n_tokens++;
            batch.token[at] = id;
            batch.pos[at] = at;
            batch.n_seq_id[at] = 1;
            batch.seq_id[at][0] = 0;
            batch.logits[at] = true;
        }
        if (llama_decode(context, batch)) return fail("not decoded");
        std::vector<llama_token> choices;
        for (int at = 0; at < batch.n_tokens; at++) choices.push_back(best_of(llama_get_logits_ith(context, at), vocabulary));
        const float * last = llama_get_logits_ith(context, -1);
        printf("{");
        print(choices);
        printf(",");
        print("last_logits", { last, last + vocabulary });
        printf("}\n");
        llama_batch_free(batch);
    }
    return 0;
}

int main(int argc, char ** argv) {
    if (argc < 4) return fail("LIBRARIES COMMAND FILE …");
    llama_log_set([](ggml_log_level level, const char * text, void *) { if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr); }, nullptr);
    ggml_backend_load_all_from_path(argv[1]);
    llama_backend_init();
    const std::string command = argv[2];
    if (command == "quantize" && argc == 6) return quantize(argv[3], argv[4], argv[5]);
    if (command == "hashes") return hashes(argv[3]);
    if (command == "tokenize" && argc == 5) return tokenize(argv[3], argv[4]);
    if (command == "greedy" && argc == 6) return greedy(argv[3], std::stoi(argv[4]), argv[5]);
    if (command == "read" && argc == 5) return read(argv[3], argv[4]);
    return fail("unknown command: " + command);
}
