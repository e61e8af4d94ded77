// One decoding column of a Llama-like model on a CPU, in one call and one parallel region.
//
// Built for few tokens at a time: a weight is read from memory once, whatever the number of
// branches, and so is the context's cache. Everything is column-panels times rows:
//
//   linear      y[M, N]       = x[M, K] . panels        panels: [N/32][K][32], packed once
//   scores      s^T[keys, R]  = keys[keys, D] . q^T     q^T: one panel of up to 32 query rows
//   attention   o^T[D, R]    += values^T[D, keys] . p   p: the same rows' probabilities
//
// A query row is one head of one branch, so grouped heads and sibling branches share every key
// that they load. Softmax runs online over blocks of keys, in vectors whose lanes are rows.

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

constexpr int64_t CHUNK = 512;  // tokens of the context that are read at a time
constexpr int LANES = 16, PANEL = 32, VECTORS = PANEL / LANES, TILE = 12, KEYS = 64, BLOCK = 256, PIECE = 64, MOST_HEAD = 512;
constexpr int AHEAD = 16384;  // bytes between a panel's line and the one to fetch for later
#define INLINE __attribute__((always_inline)) inline  // so that constant strides reach the innermost loop
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint16_t bf16;

inline float widen(bf16 x) {
    uint32_t bits = uint32_t(x) << 16;
    float y;
    std::memcpy(&y, &bits, 4);
    return y;
}
inline float widen(float x) { return x; }
inline bf16 narrow(float x) {  // round to nearest even
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
inline void put(float* to, float x) { *to = x; }
inline void put(bf16* to, float x) { *to = narrow(x); }
inline vec load(const float* from) { return *reinterpret_cast<const vec*>(from); }
inline void store(float* to, vec x) { *reinterpret_cast<vec*>(to) = x; }
inline vec splat(float x) { return x - vec{}; }
inline vec larger(vec a, vec b) { return a > b ? a : b; }
inline vec smaller(vec a, vec b) { return a < b ? a : b; }

// e^x to about one unit in the last place (Cephes' expf); 0 below -87, and wrong above 88.7.
inline vec exponential(vec x) {
    const vec magic = splat(12582912.f);  // 1.5 * 2^23: adding it rounds to an integer
    vec n = (x * 1.44269504088896341f + magic) - magic;
    vec r = x - n * 0.693359375f - n * -2.12194440e-4f;
    vec p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.f;
    ivec bits = (__builtin_convertvector(n, ivec) + 127) << 23;
    vec y = p * (vec)bits;
    return x < -87.f ? vec{} : y;
}

// ---------------------------------------------------------------- rows times a panel

// acc[i] += sum over k of x[i * rows_apart + k * k_apart] * panel[k], for ROWS rows at a time.
template <int ROWS, int WIDE, bool FETCH>
INLINE void multiply(const float* x, long rows_apart, long k_apart, const float* panel, long count, vec (*acc)[WIDE]) {
    vec sum[ROWS][WIDE];
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < WIDE; v++) sum[i][v] = acc[i][v];
    for (long k = 0; k < count; k++) {
        const float* line = panel + k * WIDE * LANES;
        vec w[WIDE];
        for (int v = 0; v < WIDE; v++) {
            if (FETCH) __builtin_prefetch(line + AHEAD / 4 + v * LANES);
            w[v] = load(line + v * LANES);
        }
        for (int i = 0; i < ROWS; i++) {
            vec a = splat(x[i * rows_apart + k * k_apart]);
            for (int v = 0; v < WIDE; v++) sum[i][v] += a * w[v];
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < WIDE; v++) acc[i][v] = sum[i][v];
}

// Weights in bfloat16: pairs of k lie together in the panel, [K/2][32][2]. Where the processor multiplies such pairs
// at full rate the inputs are pairs, too, [K/2][rows][2]; elsewhere the weights are widened as they are read, and the
// inputs are float32 [K][rows].
#if defined(__AVX512BF16__) && !defined(PMIND_WIDEN)
typedef bf16 half_input;
template <int ROWS, int WIDE, bool FETCH>
INLINE void multiply_pair(const bf16* x, long rows_apart, long, const bf16* line, vec (*sum)[WIDE]) {
    for (int v = 0; v < WIDE; v++) {
        __builtin_prefetch(line + AHEAD / 2 + v * 2 * LANES);
        __m512bh w = (__m512bh)_mm512_loadu_si512(line + v * 2 * LANES);
        for (int i = 0; i < ROWS; i++) {
            int32_t pair;
            std::memcpy(&pair, x + i * rows_apart, 4);
            sum[i][v] = (vec)_mm512_dpbf16_ps((__m512)sum[i][v], (__m512bh)_mm512_set1_epi32(pair), w);
        }
    }
}
#else
typedef float half_input;
template <int ROWS, int WIDE, bool FETCH>
INLINE void multiply_pair(const float* x, long rows_apart, long k_apart, const bf16* line, vec (*sum)[WIDE]) {
    ivec even[WIDE], odd[WIDE];
    for (int v = 0; v < WIDE; v++) {
        __builtin_prefetch(line + AHEAD / 2 + v * 2 * LANES);
        ivec pairs = *reinterpret_cast<const ivec*>(line + v * 2 * LANES);
        even[v] = pairs << 16, odd[v] = pairs & (ivec{} + int32_t(0xffff0000));
    }
    for (int i = 0; i < ROWS; i++) {
        vec first = splat(x[i * rows_apart]), second = splat(x[i * rows_apart + k_apart]);
        for (int v = 0; v < WIDE; v++) sum[i][v] += first * (vec)even[v];
        for (int v = 0; v < WIDE; v++) sum[i][v] += second * (vec)odd[v];
    }
}
#endif

template <int ROWS, int WIDE, bool FETCH>
INLINE void multiply(const half_input* x, long rows_apart, long k_apart, const bf16* panel, long count,
                     vec (*acc)[WIDE]) {
    static_assert(FETCH, "only weights are read in bfloat16");
    vec sum[ROWS][WIDE];
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < WIDE; v++) sum[i][v] = acc[i][v];
    for (long k = 0; k < count; k += 2)
        multiply_pair<ROWS, WIDE, FETCH>(x + k * k_apart, rows_apart, k_apart, panel + k * PANEL, sum);
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < WIDE; v++) acc[i][v] = sum[i][v];
}

template <int WIDE, bool FETCH, class X, class T>
INLINE void multiply_rows(int rows, const X* x, long rows_apart, long k_apart, const T* panel, long count,
                          vec (*acc)[WIDE]) {
    switch (rows) {
#define CASE(n) \
    case n:     \
        return multiply<n, WIDE, FETCH>(x, rows_apart, k_apart, panel, count, acc)
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        default:
            return multiply<TILE, WIDE, FETCH>(x, rows_apart, k_apart, panel, count, acc);
#undef CASE
    }
}

// ---------------------------------------------------------------- linear layers

struct Packed {  // this struct and those below are mirrored in pmind/native/library.py
    const void* panels;
    const float* bias;  // padded to whole panels; may be null
    int64_t outputs, inputs;
    int64_t panel_count() const { return (outputs + PANEL - 1) / PANEL; }
};

struct Team {  // one thread of a parallel region
    int rank, size;
    void share(int64_t count, int64_t& begin, int64_t& end) const {
        begin = count * rank / size;
        end = count * (rank + 1) / size;
    }
};

// Tokens' activations as the kernel reads them beside weights T: tiles of a few tokens, [tiles][width][tile], pairs
// of k together where they are bfloat16.
template <class T>
struct Tiles {
    typedef std::conditional_t<sizeof(T) == 4, float, half_input> X;
    static constexpr int64_t PAIR = sizeof(X) == 2 ? 2 : 1;
    int64_t tokens, width, count, tile;
    std::vector<X> data;

    Tiles(int64_t tokens, int64_t width)
        : tokens(tokens), width(width), count((tokens + TILE - 1) / TILE), tile((tokens + count - 1) / count),
          data(count * tile * width) {}
    X& at(int64_t token, int64_t k) {
        return data[(token / tile * width + k / PAIR * PAIR) * tile + token % tile * PAIR + k % PAIR];
    }
    int rows(int64_t index) const { return int(std::min(tile, tokens - index * tile)); }
    // acc += this tile's rows . panel[from, to)
    void times(int64_t index, const T* panel, int64_t from, int64_t to, vec (*acc)[VECTORS]) const {
        const X* x = data.data() + (index * width + from) * tile;
        multiply_rows<VECTORS, true>(rows(index), x, PAIR, tile, panel + from * PANEL, to - from, acc);
    }
};

inline void start(const Packed& w, int64_t panel, int rows, vec (*acc)[VECTORS]) {
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < VECTORS; v++) acc[i][v] = w.bias ? load(w.bias + panel * PANEL + v * LANES) : vec{};
}

// For each of this thread's panels and each token: use(token, first output, how many, their values).
template <class T, class Use>
void linear(const Team& team, const Packed& w, const Tiles<T>& x, Use use) {
    int64_t begin, end;
    team.share(w.panel_count(), begin, end);
    const int64_t block = x.count > 2 ? BLOCK : w.inputs;  // with many tokens a block of a panel stays in L1
    std::vector<float> sums(x.count * TILE * PANEL);
    for (int64_t panel = begin; panel < end; panel++) {
        const T* from = static_cast<const T*>(w.panels) + panel * w.inputs * PANEL;
        auto acc = [&](int64_t tile) { return reinterpret_cast<vec(*)[VECTORS]>(&sums[tile * TILE * PANEL]); };
        for (int64_t tile = 0; tile < x.count; tile++) start(w, panel, x.rows(tile), acc(tile));
        for (int64_t k = 0; k < w.inputs; k += block)
            for (int64_t tile = 0; tile < x.count; tile++)
                x.times(tile, from, k, std::min(k + block, w.inputs), acc(tile));
        int64_t first = panel * PANEL, outputs = std::min<int64_t>(PANEL, w.outputs - first);
        for (int64_t tile = 0; tile < x.count; tile++)
            for (int i = 0; i < x.rows(tile); i++)
                use(tile * x.tile + i, first, outputs, reinterpret_cast<const float*>(acc(tile)[i]));
    }
}

// h = silu(x . gate) * (x . up) for this thread's share of the panels.
template <class T>
void gated(const Team& team, const Packed& gate, const Packed& up, const Tiles<T>& x, Tiles<T>& h) {
    int64_t begin, end;
    team.share(gate.panel_count(), begin, end);
    for (int64_t panel = begin; panel < end; panel++)
        for (int64_t tile = 0; tile < x.count; tile++) {
            vec g[TILE][VECTORS], u[TILE][VECTORS];
            int rows = x.rows(tile);
            start(gate, panel, rows, g), start(up, panel, rows, u);
            x.times(tile, static_cast<const T*>(gate.panels) + panel * gate.inputs * PANEL, 0, gate.inputs, g);
            x.times(tile, static_cast<const T*>(up.panels) + panel * up.inputs * PANEL, 0, up.inputs, u);
            int64_t first = panel * PANEL, outputs = std::min<int64_t>(PANEL, gate.outputs - first);
            for (int i = 0; i < rows; i++) {
                for (int v = 0; v < VECTORS; v++) g[i][v] = g[i][v] / (1.f + exponential(smaller(-g[i][v], splat(88.f)))) * u[i][v];
                const float* values = reinterpret_cast<const float*>(g[i]);
                for (int64_t o = 0; o < outputs; o++) put(&h.at(tile * x.tile + i, first + o), values[o]);
            }
        }
}

// ---------------------------------------------------------------- norm and rotary embedding

// 1 / root mean square of a vector.
inline float rms_scale(const float* x, int64_t size, float epsilon) {
    vec sums = {};
    int64_t i = 0;
    for (; i + LANES <= size; i += LANES) sums += load(x + i) * load(x + i);
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
    for (; i < size; i++) sum += x[i] * x[i];
    return 1.f / std::sqrt(sum / size + epsilon);
}

inline void rms_norm(float* x, const float* weight, int64_t size, float epsilon) {
    const float scale = rms_scale(x, size, epsilon);
    for (int64_t i = 0; i < size; i++) x[i] = weight[i] * (x[i] * scale);
}

// Normalise tokens row(0), row(1), ... into tiles. Threads share out stretches of a tile's width: tokens of a
// tile lie side by side, so threads that took a token each would write the same cache lines.
template <class T, class Row>
void norm_tokens(const Team& team, Row row, const float* weight, float epsilon, Tiles<T>& y) {
    const int64_t pieces = (y.width + PIECE - 1) / PIECE;
    int64_t begin, end, scaled = -1;
    float scales[TILE];
    team.share(y.count * pieces, begin, end);
    for (int64_t item = begin; item < end; item++) {
        const int64_t tile = item / pieces, from = item % pieces * PIECE, to = std::min(from + PIECE, y.width);
        const int rows = y.rows(tile);
        if (tile != scaled)
            for (int i = 0; i < rows; i++) scales[i] = rms_scale(row(tile * y.tile + i), y.width, epsilon);
        scaled = tile;
        for (int i = 0; i < rows; i++) {
            const float* x = row(tile * y.tile + i);
            for (int64_t k = from; k < to; k++) put(&y.at(tile * y.tile + i, k), weight[k] * (x[k] * scales[i]));
        }
    }
}

// Turn a head's halves against each other, as transformers' rotate_half does; may be in place.
void rotate(const float* x, const float* cosine, const float* sine, int64_t size, float* y) {
    int64_t half = size / 2;
    for (int64_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        y[i] = a * cosine[i] - b * sine[i];
        y[i + half] = b * cosine[i + half] + a * sine[i + half];
    }
}

// ---------------------------------------------------------------- attention

constexpr float LOWEST = -1e30f;  // score of a key that a row may not read

struct Partial {  // softmax over some of the keys, for up to 32 query rows
    float best[PANEL], sum[PANEL];
    float* output;  // [D][32], not yet divided by sum
};

template <class T>
inline void fetch(const T* from, int64_t count) {
    for (int64_t i = 0; i < count; i += 64 / int64_t(sizeof(T))) __builtin_prefetch(from + i);
}

// Let query rows (a panel [D][WIDE * 16]) read COUNT keys and values, on top of what PARTIAL holds.
// Row i reads the first LIMITS[i] of them only; all rows read all where LIMITS is null.
// HEAD is D where it is known when compiling, else 0.
template <int WIDE, int HEAD, class T>
void attend_head(const float* query, const T* keys, const T* values, int64_t count, int64_t head_size,
                 const float* limits, Partial& partial, float* scratch) {
    const int64_t size = HEAD ? HEAD : head_size;
    constexpr int ROWS = WIDE * LANES;
    float* wide_keys = scratch;                  // [KEYS][D], for bfloat16
    float* wide_values = scratch + KEYS * size;  // [KEYS][D], for bfloat16
    alignas(64) float scores[KEYS * ROWS];       // [KEYS][ROWS]
    const float least = limits ? *std::min_element(limits, limits + ROWS) : float(count);
    for (int64_t first = 0; first < count; first += KEYS) {
        const int64_t block = std::min<int64_t>(KEYS, count - first);
        const float *k, *v;
        if constexpr (sizeof(T) == 4) {
            k = keys + first * size, v = values + first * size;
        } else {
            for (int64_t i = 0; i < block * size; i++) wide_keys[i] = widen(keys[first * size + i]);
            for (int64_t i = 0; i < block * size; i++) wide_values[i] = widen(values[first * size + i]);
            k = wide_keys, v = wide_values;
        }
        vec best[WIDE], shrink[WIDE], sum[WIDE];
        for (int j = 0; j < WIDE; j++) best[j] = load(partial.best + j * LANES);
        for (int64_t key = 0; key < block; key += TILE) {
            const int rows = int(std::min<int64_t>(TILE, block - key));
            fetch(keys + (first + KEYS + key) * size, rows * size);
            fetch(values + (first + KEYS + key) * size, rows * size);
            vec acc[TILE][WIDE] = {};
            multiply_rows<WIDE, false>(rows, k + key * size, size, 1, query, size, acc);
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < WIDE; j++) {
                    const float place = float(first + key + i);
                    if (place >= least) acc[i][j] = load(limits + j * LANES) > place ? acc[i][j] : splat(LOWEST);
                    store(scores + (key + i) * ROWS + j * LANES, acc[i][j]);
                    best[j] = larger(best[j], acc[i][j]);
                }
        }
        for (int j = 0; j < WIDE; j++) {
            shrink[j] = exponential(load(partial.best + j * LANES) - best[j]);
            sum[j] = load(partial.sum + j * LANES) * shrink[j];
            store(partial.best + j * LANES, best[j]);
        }
        for (int64_t key = 0; key < block; key++)
            for (int j = 0; j < WIDE; j++) {
                float* at = scores + key * ROWS + j * LANES;
                const vec p = exponential(load(at) - best[j]);
                sum[j] += p;
                store(at, p);
            }
        for (int j = 0; j < WIDE; j++) store(partial.sum + j * LANES, sum[j]);
        for (int64_t d = 0; d < size; d += TILE) {
            const int rows = int(std::min<int64_t>(TILE, size - d));
            vec acc[TILE][WIDE];
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < WIDE; j++)
                    acc[i][j] = load(partial.output + (d + i) * PANEL + j * LANES) * shrink[j];
            multiply_rows<WIDE, false>(rows, v + d, 1, size, scores, block, acc);
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < WIDE; j++) store(partial.output + (d + i) * PANEL + j * LANES, acc[i][j]);
        }
    }
}

template <int WIDE, class T>
void attend(const float* query, const T* keys, const T* values, int64_t count, int64_t size, const float* limits,
            Partial& partial, float* scratch) {
    auto run = size == 64    ? attend_head<WIDE, 64, T>
               : size == 128 ? attend_head<WIDE, 128, T>
                             : attend_head<WIDE, 0, T>;
    run(query, keys, values, count, size, limits, partial, scratch);
}

void clear(Partial& partial, int64_t size) {
    std::fill(partial.best, partial.best + PANEL, LOWEST);
    std::fill(partial.sum, partial.sum + PANEL, 0.f);
    std::fill(partial.output, partial.output + size * PANEL, 0.f);
}

}  // namespace

extern "C" {

struct Layer {
    Packed query, key, value, output, gate, up, down;
    const float *input_norm, *inner_norm, *query_norm, *key_norm;  // the last two may be null
};

struct Shape {
    int64_t layers, hidden, heads, kv_heads, head_size, inner;
    float epsilon, head_epsilon, scale;
};

struct Group {  // a context and the tokens written beside it, [layers][kv_heads][capacity][D] each
    void *context_keys, *context_values, *keys, *values;
    int64_t context, context_capacity, capacity;
    int64_t shared;  // tokens beside the context that every branch reads
    int64_t first_token, tokens;
};

struct Token {  // a branch's newest token: reads [start, place] of its group's tokens, writes PLACE
    int64_t group, start, place;
};

}  // extern "C"

namespace {

// Query rows of one group: heads of some tokens that share a key-value head, 32 at most.
struct Rows {
    int64_t group, kv_head, first, count;  // rows, over (token of the group, head of the kv head)
};

// Some of the tokens that all of a group's branches read: its context first, what is shared beside it after that.
struct Part {
    int64_t rows, from, to;
};

template <class T>
class Column {
  public:
    Column(const Shape& s, const Group* groups, int64_t group_count, const Token* tokens, int64_t count, int threads)
        : s(s), groups(groups), tokens(tokens), count(count), q_size(s.heads * s.head_size),
          kv_size(s.kv_heads * s.head_size), per_kv(s.heads / s.kv_heads), normed(count, s.hidden),
          attended(count, q_size), inner(count, s.inner) {
        for (int64_t g = 0; g < group_count; g++) {
            rows_of_group.push_back(rows.size());
            for (int64_t head = 0; head < s.kv_heads; head++)
                for (int64_t row = 0; row < groups[g].tokens * per_kv; row += PANEL)
                    rows.push_back({g, head, row, std::min<int64_t>(PANEL, groups[g].tokens * per_kv - row)});
        }
        for (size_t i = 0; i < rows.size(); i++) {
            parts_of.push_back(parts.size());
            int64_t read = groups[rows[i].group].context + groups[rows[i].group].shared;
            for (int64_t from = 0; from < std::max<int64_t>(read, 1); from += CHUNK)
                parts.push_back({int64_t(i), from, std::min(from + CHUNK, read)});
        }
        parts_of.push_back(parts.size());
        for (int64_t t = 0, next; t < count; t = next) {
            for (next = t + 1; next < count && same_branch(tokens[t], tokens[next]);) next++;
            const int64_t group = tokens[t].group, end = (next - groups[group].first_token) * per_kv;
            for (int64_t head = 0; head < s.kv_heads; head++)
                for (int64_t row = (t - groups[group].first_token) * per_kv; row < end; row += PANEL)
                    own_rows.push_back({group, head, row, std::min<int64_t>(PANEL, end - row)});
        }
        query.resize(count * q_size), new_keys.resize(count * kv_size), new_values.resize(count * kv_size);
        partials.resize(parts.size()), outputs.resize(partials.size() * s.head_size * PANEL);
        for (size_t i = 0; i < partials.size(); i++) partials[i].output = &outputs[i * s.head_size * PANEL];
        scratch.resize(threads * 2 * KEYS * s.head_size + threads * s.head_size * PANEL * 2);
    }

    // One layer on the residual stream x[count][hidden].
    void layer(const Team& team, const Layer& w, int64_t index, const float* cosine, const float* sine, float* x,
               bool skip_attention) {
        norm_all(team, w.input_norm, x);
        wait();
        linear(team, w.query, normed, into(query.data(), q_size));
        linear(team, w.key, normed, into(new_keys.data(), kv_size));
        linear(team, w.value, normed, into(new_values.data(), kv_size));
        wait();
        if (!skip_attention) {
            place(team, w, index, cosine, sine);
            wait();
            attend_shared(team, index);
            wait();
            attend_own(team, index);
            wait();
        }
        linear(team, w.output, attended, onto(x));
        wait();
        norm_all(team, w.inner_norm, x);
        wait();
        gated(team, w.gate, w.up, normed, inner);
        wait();
        linear(team, w.down, inner, onto(x));
        wait();
    }

  private:
    const Shape& s;
    const Group* groups;
    const Token* tokens;
    int64_t count, q_size, kv_size, per_kv;
    std::vector<Rows> rows, own_rows;  // own_rows: of one branch each
    std::vector<int64_t> rows_of_group;  // index of each group's first entry
    std::vector<Part> parts;
    std::vector<int64_t> parts_of;  // index of each entry's first part
    std::vector<float> query, new_keys, new_values, outputs, scratch;
    Tiles<T> normed, attended, inner;
    std::vector<Partial> partials;

    void norm_all(const Team& team, const float* weight, const float* x) {
        norm_tokens(team, [&](int64_t t) { return x + t * s.hidden; }, weight, s.epsilon, normed);
    }

    static void wait() {
#pragma omp barrier
    }

    static auto into(float* y, int64_t width) {
        return [=](int64_t token, int64_t first, int64_t outputs, const float* values) {
            std::copy(values, values + outputs, y + token * width + first);
        };
    }
    auto onto(float* x) const {
        return [=, this](int64_t token, int64_t first, int64_t outputs, const float* values) {
            float* to = x + token * s.hidden + first;
            for (int64_t i = 0; i < outputs; i++) to[i] += values[i];
        };
    }

    int64_t at(const Group& group, int64_t layer, int64_t head, int64_t place) const {
        return ((layer * s.kv_heads + head) * group.capacity + place) * s.head_size;
    }
    int64_t at_context(const Group& group, int64_t layer, int64_t head, int64_t place) const {
        return ((layer * s.kv_heads + head) * group.context_capacity + place) * s.head_size;
    }

    // Normalise and turn the new queries and keys, and write the keys and values into the cache.
    void place(const Team& team, const Layer& w, int64_t layer, const float* cosine, const float* sine) {
        int64_t begin, end, size = s.head_size;
        team.share(count, begin, end);
        for (int64_t t = begin; t < end; t++) {
            const Group& group = groups[tokens[t].group];
            const float *c = cosine + t * size, *n = sine + t * size;
            for (int64_t head = 0; head < s.heads; head++) {
                float* q = &query[t * q_size + head * size];
                if (w.query_norm) rms_norm(q, w.query_norm, size, s.head_epsilon);
                rotate(q, c, n, size, q);
                for (int64_t i = 0; i < size; i++) q[i] *= s.scale;
            }
            for (int64_t head = 0; head < s.kv_heads; head++) {
                float* k = &new_keys[t * kv_size + head * size];
                if (w.key_norm) rms_norm(k, w.key_norm, size, s.head_epsilon);
                rotate(k, c, n, size, k);
                T* keys = static_cast<T*>(group.keys) + at(group, layer, head, tokens[t].place);
                T* values = static_cast<T*>(group.values) + at(group, layer, head, tokens[t].place);
                const float* v = &new_values[t * kv_size + head * size];
                for (int64_t i = 0; i < size; i++) put(keys + i, k[i]), put(values + i, v[i]);
            }
        }
    }

    float* own_scratch(const Team& team) { return &scratch[team.rank * (2 * KEYS + 2 * PANEL) * s.head_size]; }

    // Rows as a panel [D][width]; missing rows are 0.
    void gather(const Rows& r, float* panel, int64_t width) const {
        std::fill(panel, panel + s.head_size * width, 0.f);
        for (int64_t i = 0; i < r.count; i++) {
            const float* q = &query[token_of(r, i) * q_size + head_of(r, i)];
            for (int64_t d = 0; d < s.head_size; d++) panel[d * width + i] = q[d];
        }
    }
    int64_t token_of(const Rows& r, int64_t i) const { return groups[r.group].first_token + (r.first + i) / per_kv; }
    int64_t head_of(const Rows& r, int64_t i) const { return (r.kv_head * per_kv + (r.first + i) % per_kv) * s.head_size; }

    // What every branch of a group reads, in chunks: one token's sums never depend on how many others there are.
    void attend_shared(const Team& team, int64_t layer) {
        int64_t begin, end;
        team.share(int64_t(parts.size()), begin, end);
        for (int64_t item = begin; item < end; item++) {
            const Part& part = parts[item];
            const Rows& r = rows[part.rows];
            const Group& group = groups[r.group];
            float* work = own_scratch(team);
            clear(partials[item], s.head_size);
            int64_t from = part.from, to = std::min(part.to, group.context);
            if (from < to)
                read(r, group.context_keys, group.context_values, at_context(group, layer, r.kv_head, from), to - from,
                     nullptr, partials[item], work);
            from = std::max(part.from - group.context, int64_t(0)), to = part.to - group.context;
            if (from < to)
                read(r, group.keys, group.values, at(group, layer, r.kv_head, from), to - from, nullptr, partials[item],
                     work);
        }
    }

    // Each branch's own tokens, the new ones included, merged with the shared parts by log-sum-exp.
    void attend_own(const Team& team, int64_t layer) {
        const int64_t size = s.head_size;
        float *work = own_scratch(team), *panel = work + 2 * KEYS * size;
        Partial own;
        own.output = panel + PANEL * size;
        // One thread takes every SIZE-th entry: in a causal text later rows read more than earlier ones.
        for (size_t item = team.rank; item < own_rows.size(); item += team.size) {
            const Rows& r = own_rows[item];
            const Group& group = groups[r.group];
            const int64_t start = tokens[token_of(r, 0)].start, last = tokens[token_of(r, r.count - 1)].place;
            alignas(64) float limits[PANEL];
            for (int64_t i = 0; i < PANEL; i++)
                limits[i] = float(tokens[token_of(r, std::min(i, r.count - 1))].place + 1 - start);
            clear(own, size);
            read(r, group.keys, group.values, at(group, layer, r.kv_head, start), last + 1 - start, limits, own, work);
            for (int64_t i = 0; i < r.count; i++) merge(r, i, own);
        }
    }

    // Let ROWS read COUNT tokens from OFFSET on, into PARTIAL.
    void read(const Rows& r, void* keys, void* values, int64_t offset, int64_t count, const float* limits,
              Partial& partial, float* work) const {
        float* panel = work + 2 * KEYS * s.head_size;
        auto k = static_cast<T*>(keys) + offset, v = static_cast<T*>(values) + offset;
        const bool narrow = r.count <= LANES;
        gather(r, panel, narrow ? LANES : PANEL);
        if (narrow)
            attend<1>(panel, k, v, count, s.head_size, limits, partial, work);
        else
            attend<VECTORS>(panel, k, v, count, s.head_size, limits, partial, work);
    }

    static bool same_branch(const Token& a, const Token& b) {
        return a.group == b.group && a.start == b.start && b.place > a.place;
    }

    void merge(const Rows& r, int64_t i, const Partial& own) {
        int64_t row = r.first + i, lane = row % PANEL;
        int64_t index = find(r.group, r.kv_head, row);
        float best = own.best[i];
        for (int64_t p = parts_of[index]; p < parts_of[index + 1]; p++) best = std::max(best, partials[p].best[lane]);
        float total[MOST_HEAD], weight = std::exp(own.best[i] - best), sum = own.sum[i] * weight;
        for (int64_t d = 0; d < s.head_size; d++) total[d] = own.output[d * PANEL + i] * weight;
        for (int64_t p = parts_of[index]; p < parts_of[index + 1]; p++) {
            weight = std::exp(partials[p].best[lane] - best);
            sum += partials[p].sum[lane] * weight;
            for (int64_t d = 0; d < s.head_size; d++) total[d] += partials[p].output[d * PANEL + lane] * weight;
        }
        for (int64_t d = 0; d < s.head_size; d++) put(&attended.at(token_of(r, i), head_of(r, i) + d), total[d] / sum);
    }

    // Index of the rows that hold ROW.
    int64_t find(int64_t group, int64_t head, int64_t row) const {
        int64_t panels = (groups[group].tokens * per_kv + PANEL - 1) / PANEL;
        return rows_of_group[group] + head * panels + row / PANEL;
    }
};

template <class T>
void run_column(const Shape& s, const Layer* layers, const float* last_norm, const Packed& head, const Group* groups,
                int64_t group_count, const Token* tokens, int64_t count, const int64_t* wanted, int64_t wanted_count,
                const float* cosine, const float* sine, float* x, float* logits, bool skip_attention, int threads) {
    Column<T> column(s, groups, group_count, tokens, count, threads);
    Tiles<T> last(std::max<int64_t>(wanted_count, 1), s.hidden);
#pragma omp parallel num_threads(threads)
    {
        Team team = {omp_get_thread_num(), omp_get_num_threads()};
        for (int64_t l = 0; l < s.layers; l++) column.layer(team, layers[l], l, cosine, sine, x, skip_attention);
        if (wanted_count) {
            norm_tokens(team, [&](int64_t t) { return x + wanted[t] * s.hidden; }, last_norm, s.epsilon, last);
#pragma omp barrier
            linear(team, head, last, [&](int64_t token, int64_t first, int64_t outputs, const float* values) {
                std::copy(values, values + outputs, logits + token * head.outputs + first);
            });
        }
    }
}

template <class T>
void rows_times(const Packed& w, const T* x, T* y, int64_t tokens, int threads) {
    Tiles<T> tiles(tokens, w.inputs);
#pragma omp parallel num_threads(threads)
    {
        Team team = {omp_get_thread_num(), omp_get_num_threads()};
        int64_t begin, end;
        team.share(tokens, begin, end);
        for (int64_t t = begin; t < end; t++)
            for (int64_t k = 0; k < w.inputs; k++) put(&tiles.at(t, k), widen(x[t * w.inputs + k]));
#pragma omp barrier
        linear(team, w, tiles, [&](int64_t token, int64_t first, int64_t outputs, const float* values) {
            for (int64_t i = 0; i < outputs; i++) put(y + token * w.outputs + first + i, values[i]);
        });
    }
}

}  // namespace

extern "C" {

// Panels of a [outputs, inputs] matrix: [outputs/32][inputs][32], or [outputs/32][inputs/2][32][2] in bfloat16.
void pmind_pack(const void* from, void* to, int64_t outputs, int64_t inputs, int32_t half) {
    int64_t panels = (outputs + PANEL - 1) / PANEL, pair = half ? 2 : 1;
    size_t size = half ? 2 : 4;
    auto source = static_cast<const char*>(from);
    auto target = static_cast<char*>(to);
    for (int64_t p = 0; p < panels; p++)
        for (int64_t lane = 0; lane < PANEL; lane++)
            for (int64_t k = 0; k < inputs; k++) {
                int64_t out = p * PANEL + lane, at = p * PANEL * inputs + (k / pair * PANEL + lane) * pair + k % pair;
                if (out < outputs)
                    std::memcpy(target + at * size, source + (out * inputs + k) * size, size);
                else
                    std::memset(target + at * size, 0, size);
            }
}

void pmind_linear(const Packed* w, const void* x, void* y, int64_t tokens, int32_t half, int32_t threads) {
    if (half)
        rows_times(*w, static_cast<const bf16*>(x), static_cast<bf16*>(y), tokens, threads);
    else
        rows_times(*w, static_cast<const float*>(x), static_cast<float*>(y), tokens, threads);
}

// x[count][hidden] holds the tokens' embeddings and is used up; logits of the WANTED tokens are written.
void pmind_column(const Shape* shape, const Layer* layers, const float* last_norm, const Packed* head,
                  const Group* groups, int64_t group_count, const Token* tokens, int64_t count, const int64_t* wanted,
                  int64_t wanted_count, const float* cosine, const float* sine, float* x, float* logits,
                  int32_t skip_attention, int32_t half, int32_t threads) {
    auto run = half ? run_column<bf16> : run_column<float>;
    run(*shape, layers, last_norm, *head, groups, group_count, tokens, count, wanted, wanted_count, cosine, sine, x,
        logits, skip_attention, threads);
}

}  // extern "C"
