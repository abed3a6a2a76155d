/* What must hold after every step, the seeking of witnesses, and the words of a story. */

#define story(text) printf("| "); printf(text); printf("\n")
#define story1(text, a) printf("| "); printf(text, a); printf("\n")
#define story2(text, a, b) printf("| "); printf(text, a, b); printf("\n")
#define story3(text, a, b, c) printf("| "); printf(text, a, b, c); printf("\n")

/* A witness is a claim that something never happens, which must be found wrong. */
#include "witnesses.pml"
#define WITNESS(name) assert(!SEEK_##name)

/* 1. No value created: what customs cards have credited never exceeds what was debited. */
#define NO_VALUE_CREATED (total <= debited)

/* 2. All value accounted: each debit is credited, or an open record names it. */
#define NAMED(otc, purse) (RING(purse, otc) < 2 || \
    ((record[RING(purse, otc) - 2] == OPEN || IS_CREDITED(RING(purse, otc) - 2)) \
    && PURSE_OF(RING(purse, otc) - 2) == purse && OTC_OF(RING(purse, otc) - 2) == otc))
#define WORTH(otc, purse) (RING(purse, otc) < 2 -> 0 : AMOUNT(ORDER_OF(RING(purse, otc) - 2)))
#if NUMBERS == 4
#define RING_WORTH(purse) (WORTH(0, purse) + WORTH(1, purse) + WORTH(2, purse) + WORTH(3, purse))
#else
#define RING_WORTH(purse) (WORTH(0, purse) + WORTH(1, purse) + WORTH(2, purse))
#endif
#define ACCOUNTED(purse) (EVERY_NUMBER(NAMED, purse) && cumulative[purse] == RING_WORTH(purse))
#define ALL_VALUE_ACCOUNTED (ACCOUNTED(0) && ACCOUNTED(1))

/* 3. Never twice, and the word is true. An order with a debit has an attempt that is not
 *    called "not paid"; one that is called "paid" has its debit. */
#define SAYS_PAID(a, order) (a < attempts && order_of[a] == order && WORD(a) == PAID)
#define SAYS_MORE_THAN_NO(a, order) (a < attempts && order_of[a] == order && WORD(a) != NOT_PAID)
#define ORDER_IS_TRUE(order) (debits[order] <= 1 \
    && (debits[order] == 0 || ANY_ATTEMPT(SAYS_MORE_THAN_NO, order)) \
    && (debits[order] == 1 || !ANY_ATTEMPT(SAYS_PAID, order)))
#define ROW_IS_TRUE(n, x) (RECORD_WORD(n) == UNKNOWN || (RECORD_WORD(n) == PAID) == WAS_DEBITED(n))
#define WORD_IS_TRUE (ORDER_IS_TRUE(0) && ORDER_IS_TRUE(1) && EVERY_RECORD(ROW_IS_TRUE, 0))

/* 4. The bank pays exactly what was debited: never twice, never without a debit. */
#define PAID_RIGHTLY(n, x) (paid[n] == 0 || paid[n] == 1 && WAS_DEBITED(n) && IS_CREDITED(n))
#define BANK_PAYS_DEBITS EVERY_RECORD(PAID_RIGHTLY, 0)

/* 5. Settled in the end: see calm.pml. */
#define IS_SETTLED(n, x) (record[n] != OPEN && (row[n] == NOTHING || RECORD_WORD(n) != UNKNOWN))
#define IS_TOLD(a, x) (a >= attempts || WORD(a) != UNKNOWN)

inline step_ends() {
    sw = 0; fate = 0; torn = 0; found = 0; n = 0; a = 0
}

/* Looks on after every step of anybody; pan's message then holds the property's number. */
active proctype Monitor() {
end:
    do
#ifdef PROPERTY_1
    :: atomic { !NO_VALUE_CREATED -> assert(1 == 0) }
#endif
#ifdef PROPERTY_2
    :: atomic { !ALL_VALUE_ACCOUNTED -> assert(2 == 0) }
#endif
#ifdef PROPERTY_3
    :: atomic { !WORD_IS_TRUE -> assert(3 == 0) }
#endif
#ifdef PROPERTY_4
    :: atomic { !BANK_PAYS_DEBITS -> assert(4 == 0) }
#endif
#ifdef PROPERTY_5
    :: atomic { runs > RUNS_MAX -> assert(5 == 0) }
#endif
    :: false                    /* for a run that looks at no property */
    od
}
