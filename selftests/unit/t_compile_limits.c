/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_compile_limits.c - arithmetic of limits, and which of a cell's words they get: what a reload keeps,
 * and what nobody may read any more.
 */
#include "base/clock.h"
#include "unit/compile_text.h"

static const struct lz_limit *limit_named(const struct lz_image *image, const char *name)
{
	int id = image ? lz_image_limit_find(image, "c", name) : -1;

	static const struct lz_limit none = { .word = 99 };

	T_OK(id > 0, name);
	return id > 0 ? &image->gen.class_[image->limits[id].class_id].limit[image->limits[id].index] : &none;
}

static void computes_windows(void)
{
	auto_image *image = compile_text(LIMITS(WINDOW("small", "40/5min") "," WINDOW("day", "1000/24h") ","
		BUCKET("syn", "100/s") "," "{\"name\": \"fan\", \"count\": \"smtp-destinations\", \"at-most\": \"200/10min\", \"then\": \"hold 2h\"}"), NULL);
	const struct lz_limit *l = limit_named(image, "small");

	T_EQ(l->bits, 6, "40 fit in 6 bits");
	T_EQ(l->counters, 7, "seven of them");
	T_EQ(l->words, 1, "six slots are enough");
	T_EQ(l->slot_ns, 50 * LZ_NS_PER_S, "a sixth of five minutes");
	l = limit_named(image, "day");
	T_EQ(l->bits, 10, "1000 fit in 10 bits");
	T_EQ(l->counters, 4, "four of them");
	T_EQ(l->words, 2, "gets a second word");
	T_EQ(l->slot_ns, 86400 * LZ_NS_PER_S / 7 + 1, "a seventh of a day, rounded up");
	T_OK(l->word != limit_named(image, "small")->word, "words of their own");
	l = limit_named(image, "syn");
	T_EQ(l->slot_ns, 10000000, "a token each 10 ms");
	T_EQ(l->burst_ns, 199 * 10000000ULL, "burst");
	l = limit_named(image, "fan");
	T_EQ(l->kind, LZ_LIMIT_DESTS, "estimate");
	T_EQ(l->then, LZ_THEN_HOLD, "holds: sources are validated");
	T_EQ(l->flags, 0, "which is proof enough");
	T_EQ(l->hold_ttl_s, 7200, "for two hours");
	T_EQ(image ? image->gen.class_[2].dests_slot_ns : 0, 600 * LZ_NS_PER_S, "one bitmap window");
}

/* Where the next value takes another bit, or more time than there is. */
static void knows_its_borders(void)
{
	static const struct {
		const char *burst;
		int r;
	} rows[] = { { "108", 0 }, { "109", -ERANGE } };
	auto_image *image = compile_text(LIMITS(WINDOW("low", "63/5min") "," WINDOW("high", "64/5min")), NULL);

	T_EQ(limit_named(image, "low")->bits, 6, "63 fit in 6 bits");
	T_EQ(limit_named(image, "high")->bits, 7, "64 do not");
	for (size_t i = 0; i < LZ_ARRAY_SIZE(rows); i++) { /* 107 times 31 days are less than 2^58 ns */
		lz_autostr struct lz_str text = {};
		struct lz_image *got = NULL;

		lz_str_appendf(&text, LIMITS("{\"name\": \"slow\", \"count\": \"smtp-connections\", \"rate\": \"1/31d\","
			       "\"burst\": %s, \"then\": \"drop\"}"), rows[i].burst);
		auto_reading reading = read_policy(text.data, NULL);
		T_EQ(reading.r, 0, "accepted");
		if (reading.policy)
			T_ERR(lz_image_compile(reading.policy, NULL, SEED, &got, NULL), rows[i].r, rows[i].burst);
		lz_image_free(&got);
	}
}

/* No two limits share a word, whatever the mix; six limits get what there is. */
static void shares_out_words(void)
{
	auto_image *image = compile_text(LIMITS(WINDOW("a", "100/1h") "," WINDOW("b", "20/1h") ","
		WINDOW("c", "4000000/24h") "," BUCKET("d", "1/s") "," WINDOW("e", "5000/1h")), NULL);
	__u32 used = 0;

	for (const char *name = "a\0b\0c\0d\0e\0"; *name; name += 2) {
		const struct lz_limit *l = limit_named(image, name);

		T_EQ(l->words, *name == 'a' ? 2 : 1, "the first that wants it gets the sixth word");
		T_OK(l->words * l->counters != 1 && l->stamp >= 1 && l->stamp <= 15, "at least one whole slot, a stamp");
		for (unsigned i = 0; i < l->words; i++) {
			T_OK(l->word + i < LZ_CELL_WORDS && !(used >> (l->word + i) & 1), "free word");
			used |= 1u << (l->word + i);
		}
	}
	T_EQ(used, 63, "all six in use");
}

/* A window's two words lie in one half of the cell, also where it stood across the border before. */
static void keeps_words_together(void)
{
	auto_image *image = compile_text(LIMITS(BUCKET("a", "1/s") "," BUCKET("b", "1/s") "," BUCKET("c", "1/s") ","
		WINDOW("wide", "1000/24h")), NULL);
	auto_image *again = NULL;
	__u32 id;

	if (!T_OK(image, "compiles"))
		return;
	T_EQ(limit_named(image, "wide")->words, 2, "two words");
	T_EQ(limit_named(image, "wide")->word, LZ_CELL_NEAR_WORDS, "not across the border");
	id = limit_named(image, "wide")->id;
	for (unsigned c = 0; c < LZ_CLASSES_MAX; c++)
		for (unsigned i = 0; i < image->gen.class_[c].limits; i++)
			if (image->gen.class_[c].limit[i].id == id)
				image->gen.class_[c].limit[i].word = LZ_CELL_NEAR_WORDS - 1;
	again = compile_text(LIMITS(BUCKET("a", "1/s") "," BUCKET("b", "1/s") "," BUCKET("c", "1/s") ","
		WINDOW("wide", "1000/24h")), image);
	T_EQ(again ? limit_named(again, "wide")->word : 0, LZ_CELL_NEAR_WORDS, "nor because it was there");
	T_OK(again && limit_named(again, "wide")->stamp != limit_named(image, "wide")->stamp,
	     "and what lies in its new words is not its own");
}

static void keeps_words_over_a_reload(void)
{
	auto_image *first = compile_text(LIMITS(WINDOW("a", "40/1h") "," WINDOW("b", "30/1h") "," BUCKET("d", "10/s")), NULL);
	auto_image *second = compile_text(LIMITS(BUCKET("d", "20/s") "," WINDOW("new", "20/1h") "," WINDOW("b", "50/1h")), first);
	auto_image *third = compile_text(LIMITS(BUCKET("d", "20/s") "," WINDOW("a", "40/1h") "," WINDOW("b", "50/2h")), second);

	if (!first || !second || !third)
		return;
	for (const char *name = "b\0d\0"; *name; name += 2) {
		T_EQ(limit_named(second, name)->word, limit_named(first, name)->word, "word stays with the name");
		T_EQ(limit_named(second, name)->stamp, limit_named(first, name)->stamp, "and goes on counting");
		T_EQ(limit_named(second, name)->id, limit_named(first, name)->id, "id stays");
	}
	T_EQ(limit_named(second, "new")->word, limit_named(first, "a")->word, "the word that came free");
	T_OK(limit_named(second, "new")->stamp != limit_named(first, "a")->stamp, "starts empty");
	T_OK(limit_named(second, "new")->id != limit_named(first, "a")->id, "nobody inherits a statistics row");
	T_OK(limit_named(third, "a")->stamp != limit_named(second, "new")->stamp &&
	     limit_named(third, "a")->stamp != limit_named(first, "a")->stamp, "nor does a come back to old counts");
	T_OK(limit_named(third, "b")->stamp != limit_named(second, "b")->stamp, "another window starts again");
	T_EQ(limit_named(third, "d")->stamp, limit_named(first, "d")->stamp, "a bucket goes on at its new rate");
}

/* What a limit has counted is read on only if it would count the same. */
static void starts_again_with_another_shape(void)
{
#define SHAPE(what, per) LIMITS("{\"name\": \"x\", \"count\": \"" what "\", \"at-most\": \"60/1h\", \"then\": \"drop\"" per "}")
#define PREFIX(v4, v6) ", \"per\": {\"ipv4\": " v4 ", \"ipv6\": " v6 "}"
	static const char *const texts[] = { /* each after the one before */
		SHAPE("smtp-connections", ""),		     SHAPE("syn", ""),
		SHAPE("smtp-connections", PREFIX("24", "48")), SHAPE("smtp-connections", PREFIX("24", "56")),
		SHAPE("smtp-connections", PREFIX("16", "56")), SHAPE("smtp-connections", PREFIX("24", "56")),
	};
	struct lz_image *previous = NULL;
	__u32 stamps = 0; /* of the prefixes, whose cells outlive all of them */

	for (size_t i = 0; i < LZ_ARRAY_SIZE(texts); i++) {
		struct lz_image *image = compile_text(texts[i], previous);
		auto_image *same = compile_text(texts[i], image);

		T_EQ(limit_named(same, "x")->stamp, limit_named(image, "x")->stamp, "the same again goes on counting");
		if (i == 1)
			T_OK(limit_named(image, "x")->stamp != limit_named(previous, "x")->stamp, "other packets: anew");
		if (i >= 2)
			T_OK(!(stamps >> limit_named(image, "x")->stamp & 1), "other prefixes: anew, each time");
		stamps |= i >= 2 ? 1u << limit_named(image, "x")->stamp : 0;
		lz_image_free(&previous);
		previous = image;
	}
	lz_image_free(&previous);
}

/* A source that changes its class finds nothing of what it did in the other. */
static void tells_classes_apart(void)
{
	auto_image *image = compile_text(HEAD "\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" WINDOW("a", "40/1h") "]},"
		"\"d\": {\"of\": [\"100.64.0.0/16\"], \"limits\": [" WINDOW("a", "40/1h") "]}}}", NULL);

	if (!image)
		return;
	T_EQ(image->gen.class_[2].limit[0].word, image->gen.class_[3].limit[0].word, "the same word");
	T_OK(image->gen.class_[2].limit[0].stamp != image->gen.class_[3].limit[0].stamp, "another stamp");
}

/* Random reloads: a word is read on only by the limit that wrote it, in the shape it wrote. */
static void never_reads_old_words(void)
{
	static const char *const pool[] = { WINDOW("a", "40/1h"), WINDOW("b", "300/1h"), WINDOW("a", "80/1h"),
		BUCKET("d", "10/s"), WINDOW("e", "10/10min"), WINDOW("f", "1000/24h"), WINDOW("g", "1/1h") };
	/* who wrote what last with each stamp, by word */
	static char written[LZ_CELL_WORDS][16][64];
	struct lz_image *previous = NULL;

	memset(written, 0, sizeof(written));
	for (int round = 0; round < 12; round++) {
		lz_autostr struct lz_str text = {};
		struct lz_image *image;
		unsigned n = 0, has = 0;

		for (unsigned i = 0; i < LZ_ARRAY_SIZE(pool); i++)
			if (random_below(2) && !(i == 2 && has & 1)) {
				lz_str_appendf(&text, "%s%s", n++ ? "," : HEAD "\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [", pool[i]);
				has |= 1u << i;
			}
		if (!n)
			continue;
		lz_str_appendf(&text, "]}}}");
		image = compile_text(text.data, previous);
		lz_image_free(&previous);
		previous = image;
		for (int i = 0; image && i < image->gen.class_[2].limits; i++) {
			const struct lz_limit *l = &image->gen.class_[2].limit[i];
			char user[64];

			snprintf(user, sizeof(user), "%s %u %u %llu %u", image->limits[l->id].name, l->kind,
				 l->bits, l->kind == LZ_LIMIT_WINDOW ? l->slot_ns : 0, l->words);
			for (unsigned w = l->word; w < l->word + l->words; w++) {
				if (*written[w][l->stamp])
					T_STR(written[w][l->stamp], user, "what the word holds under this stamp");
				strcpy(written[w][l->stamp], user);
			}
		}
	}
	lz_image_free(&previous);
}

/* A policy that was undone has written cells: who comes next must not read them. */
static void outlives_an_undo(void)
{
	auto_image *first = compile_text(LIMITS(WINDOW("a", "40/1h")), NULL);
	auto_image *undone = compile_text(LIMITS(WINDOW("b", "40/1h")), first);

	if (!first || !undone)
		return;
	lz_image_outlive(first, undone);
	auto_image *next = compile_text(LIMITS(WINDOW("c", "40/1h")), first);
	T_EQ(limit_named(next, "c")->word, limit_named(undone, "b")->word, "the same word");
	T_OK(limit_named(next, "c")->stamp != limit_named(undone, "b")->stamp, "another stamp than the undone one");
	T_OK(limit_named(next, "c")->stamp != limit_named(first, "a")->stamp, "than the one before, too");
}

#define CUSTOMERS(validation, evidence) "{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]" \
	validation "}}," evidence "\"customers\": {\"list\": {\"k\": [\"10.0.0.1\"]}}," \
	"\"ladders\": {\"l\": {\"steps\": [\"notify\", \"block25 1h\"]}}, \"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": [" \
	"{\"name\": \"own\", \"count\": \"smtp-connections\", \"at-most\": \"60/1h\", \"then\": \"ladder:l\"}," \
	"{\"name\": \"all\", \"count\": \"smtp-connections\", \"at-most\": \"1000/24h\", \"per\": \"customer\", \"then\": \"ladder:l\"}]}}}"

/* Who looks at what is told by flags; what is looked at for nothing costs each packet. */
static void flags_what_limits_ask(void)
{
	auto_image *plain = compile_text(LIMITS(BUCKET("a", "1/s")), NULL);
	auto_image *to = compile_text(LIMITS("{\"name\": \"a\", \"count\": \"syn\", \"at-most\": \"600/1h\", \"then\": \"drop\","
					     "\"to\": [\"198.51.100.1\"]}"), NULL);

	T_EQ(plain ? plain->gen.class_[2].flags : ~0u, 0, "SYNs to anywhere");
	T_EQ(to ? to->gen.class_[2].flags : 0, LZ_CLASS_F_SYN_TO, "SYNs to some destinations");
}

/* Of a customer, too; and what was counted without them is no handshake. */
static void begins_to_hold_by_handshakes(void)
{
	auto_image *strict = compile_text(CUSTOMERS(", \"source-validation\": \"strict\"", ""), NULL);
	auto_image *loose = compile_text(CUSTOMERS("", "\"evidence\": {\"quarantine-needs\": \"handshake\"},"), strict);

	if (!strict || !loose)
		return;
	T_EQ(limit_named(strict, "all")->words, 2, "a customer's window has both words");
	T_EQ(limit_named(loose, "all")->words, 1, "where handshakes are counted, they have the second");
	T_EQ(limit_named(loose, "own")->word, limit_named(strict, "own")->word, "the word stays");
	T_OK(limit_named(loose, "own")->stamp != limit_named(strict, "own")->stamp, "and begins anew, with the one beside it");
}

/* Where sources are not validated a hold goes by handshakes, which are counted in the next word. */
static void holds_by_handshakes(void)
{
	auto_reading reading = read_policy("{\"version\": 1, \"interfaces\": {\"a\": {\"side\": \"customer\", \"match\": [\"e\"]}},"
		"\"evidence\": {\"quarantine-needs\": \"handshake\"}, \"ladders\": {\"l\": {\"steps\": [\"notify\", \"block25 1h\"]}},"
		"\"classes\": {\"c\": {\"of\": [\"10.0.0.0/8\"], \"limits\": ["
		"{\"name\": \"up\", \"count\": \"smtp-connections\", \"at-most\": \"100/1h\", \"then\": \"ladder:l\"},"
		"{\"name\": \"hold\", \"count\": \"smtp-connections\", \"at-most\": \"100/1h\", \"then\": \"hold 1h\"},"
		"{\"name\": \"wide\", \"count\": \"smtp-connections\", \"at-most\": \"100000/24h\", \"then\": \"drop\"},"
		"{\"name\": \"last\", \"count\": \"syn\", \"at-most\": \"100/1h\", \"then\": \"drop\"}]}}}", NULL);
	auto_image *image = compile_policy(reading.policy, NULL);
	const struct lz_limit *up = limit_named(image, "up"), *hold = limit_named(image, "hold");
	const struct lz_limit *wide = limit_named(image, "wide"), *last = limit_named(image, "last");

	if (!up || !hold || !wide || !last)
		return;
	T_OK(up->then == LZ_THEN_NOTIFY && up->flags == LZ_LIMIT_F_PROOF, "a ladder is told of handshakes");
	T_OK(hold->then == LZ_THEN_HOLD && hold->flags == LZ_LIMIT_F_PROOF, "nobody is held by what anybody can forge");
	T_OK(!wide->flags && !last->flags, "what only drops needs no proof");
	T_EQ(hold->slack, 51, "so many SYNs more, or no hundred-and-first handshake would ever be");
	T_EQ(hold->bits, 8, "which a counter has room for");
	T_OK(!up->slack && !wide->slack && !last->slack, "and none where SYNs hold nobody");
	T_OK(hold->words == 1 && hold->word != up->word && hold->word != up->word + 1 &&
		     up->word != hold->word + 1, "each has two words");
	T_OK(wide->words == 1 && wide->word > hold->word + 1 && last->word > wide->word,
	     "and there are six");
	T_OK(image->gen.flags & LZ_GEN_F_PROOF, "SYN-ACKs are watched");
}

static const struct t_case cases[] = {
	{ "arithmetic of limits", computes_windows },
	{ "borders of what fits", knows_its_borders },
	{ "six words for all limits", shares_out_words },
	{ "two words in one half", keeps_words_together },
	{ "words and stamps over reloads", keeps_words_over_a_reload },
	{ "another shape starts again", starts_again_with_another_shape },
	{ "classes are told apart", tells_classes_apart },
	{ "old words are never read", never_reads_old_words },
	{ "stamps over an undo", outlives_an_undo },
	{ "flags of a class", flags_what_limits_ask },
	{ "holds go by handshakes", holds_by_handshakes },
	{ "and begin to", begins_to_hold_by_handshakes },
};

int main(void)
{
	return T_MAIN(cases);
}
