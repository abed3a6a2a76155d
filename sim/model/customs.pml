/* The customs card: its commands, as the card profile's "Commands: customs card". */

/* INIT SAM: when CID, otc and Rc are those of an open record no second one is opened.
 * The number that was given is left in `found`. */
inline INIT_SAM(attempt) {
    found = RECORDS;
    for (i : 0 .. RECORDS - 1) {
        if
        :: record[i] == OPEN && PURSE_OF(i) == purse_of[attempt] &&
                OTC_OF(i) == otc_of[attempt] && RC_OF(i) == rc_of[attempt] -> found = i
        :: else
        fi
    }
    i = 0;
    if
    :: found < RECORDS && ORDER_OF(found) == order_of[attempt] -> sw = SW_9000
    :: found < RECORDS && ORDER_OF(found) != order_of[attempt] -> sw = SW_6985
    :: found == RECORDS && tsn_next == RECORDS -> sw = SW_9402
#ifdef MUTANT_MAC1_BEFORE_RECORD
    :: found == RECORDS && tsn_next < RECORDS && torn ->
        found = tsn_next; record_of[found] = attempt; sw = SW_9000;
        story1("customs card    torn: MAC1 is sent, tsn %d is never written", 1 + found)
#endif
    :: else -> open_record(attempt); sw = SW_9000
    fi
}

/* {tsn + 1, open record}; only then MAC1 */
inline open_record(attempt) {
    found = tsn_next;
    record[found] = OPEN;
    record_of[found] = attempt;
    tsn_next = tsn_next + 1
}

/* CREDIT: a known tsn with its TAC answers the same again and changes nothing. */
inline CREDIT(tsn) {
    if
    :: !MAC2_FITS(tsn) -> sw = SW_9302
    :: MAC2_FITS(tsn) && record[tsn] == OPEN -> commit_credit(tsn)
    :: MAC2_FITS(tsn) && (record[tsn] == CREDITED || record[tsn] == BATCHED) ->
#ifdef MUTANT_CREDIT_COUNTS_AGAIN
        total = total + AMOUNT(ORDER_OF(tsn));
#endif
        sw = SW_9000
    :: MAC2_FITS(tsn) && record[tsn] != OPEN && record[tsn] != CREDITED &&
            record[tsn] != BATCHED -> sw = SW_6A83
    fi
}

/* {total, credited record, chain, open record removed} */
inline commit_credit(tsn) {
    if
#ifdef MUTANT_CREDIT_THEN_REMOVE
    :: torn -> total = total + AMOUNT(ORDER_OF(tsn)); sw = LOST;
        story1("customs card    torn: CREDIT (tsn %d) is added, its record still open", 1 + tsn)
#endif
#ifdef MUTANT_REMOVE_THEN_CREDIT
    :: torn -> record[tsn] = VOIDED; sw = LOST;
        story1("customs card    torn: the record of tsn %d is removed, nothing added", 1 + tsn)
#endif
    :: else ->
        total = total + AMOUNT(ORDER_OF(tsn));
        record[tsn] = CREDITED;
        sw = SW_9000
    fi
}

/* VOID with a VMAC; the caller has one. */
inline VOID_CUSTOMS(tsn) {
    if
    :: record[tsn] == OPEN -> record[tsn] = VOIDED; sw = SW_9000
    :: else -> sw = SW_6A83
    fi
}

/* It holds nothing in RAM that matters here: the open table is non-volatile. */
inline customs_card_loses_power() {
#ifdef MUTANT_OPEN_TABLE_IN_RAM
    for (i : 0 .. RECORDS - 1) {
        if
        :: record[i] == OPEN -> record[i] = VOIDED
        :: else
        fi
    }
#endif
    i = 0
}

/* CLOSE BATCH; open records stay. */
inline CLOSE_BATCH() {
    for (i : 0 .. RECORDS - 1) {
        if
        :: record[i] == CREDITED -> record[i] = BATCHED
        :: else
        fi
    }
    i = 0
}

/* BANK ACK, of the batch whose payments the bank has posted; open records stay. */
inline BANK_ACK() {
    for (i : 0 .. RECORDS - 1) {
        if
        :: record[i] == BATCHED && paid[i] -> record[i] = RELEASED
#ifdef MUTANT_BANK_ACK_DROPS_OPEN
        :: record[i] == OPEN -> record[i] = VOIDED
#endif
        :: else
        fi
    }
    i = 0
}
