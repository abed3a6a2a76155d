/* The bank: it pays on the TAC alone and each payment once, and its card desk resolves the
 * open records that went up with a batch.
 */

inline post(tsn) {
    if
    :: TAC_FITS(tsn) && !paid[tsn] -> paid[tsn] = 1
#ifdef MUTANT_BANK_PAYS_AGAIN
    :: TAC_FITS(tsn) && paid[tsn] == 1 -> paid[tsn] = 2
#endif
    :: else
    fi
}

/* A batch arrives: the payments of the closed batch, and the list of open records. */
inline BATCH_UPLOAD() {
    for (i : 0 .. RECORDS - 1) {
        if
        :: record[i] == BATCHED -> post(i)
        :: record[i] == OPEN && !open_known[i] -> open_known[i] = 1;
#ifdef MUTANT_BANK_PAYS_OPEN_RECORDS
            paid[i] = 1
#endif
        :: else
        fi
    }
    i = 0
}

#ifdef DAY
/* The card desk has the purse of a record that went up as open: PROVE, or VOID. */
#define AT_DESK(n, x) (open_known[n] == 1 && reader != PURSE_OF(n))

active proctype Bank() {
end:
    do
    :: atomic { !calm && ANY_RECORD(AT_DESK, 0) -> pick_record(AT_DESK, 0);
        d_step {
            PROVE(PURSE_OF(n), n);
            if
            :: sw == SW_9000 ->
                story1("bank            card desk: the purse proves the debit of tsn %d", 1 + n)
            :: else -> VOID_PURSE(PURSE_OF(n), n);
                story1("bank            card desk: the purse burns the number of tsn %d", 1 + n)
            fi;
            if
            :: sw == SW_9000 -> open_known[n] = 2
            :: else
            fi;
            step_ends()
        } }
    od
}
#endif
