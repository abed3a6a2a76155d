/* One switch for each witness; the runner sets one of them to 1. */
#ifndef SEEK_BANK_PROVES
#define SEEK_BANK_PROVES 0
#endif
#ifndef SEEK_BANK_VOIDS
#define SEEK_BANK_VOIDS 0
#endif
#ifndef SEEK_BATCH_SENT_AGAIN
#define SEEK_BATCH_SENT_AGAIN 0
#endif
#ifndef SEEK_COLLECTED
#define SEEK_COLLECTED 0
#endif
#ifndef SEEK_CREDITED
#define SEEK_CREDITED 0
#endif
#ifndef SEEK_DEBIT_DELIVERED_LATE
#define SEEK_DEBIT_DELIVERED_LATE 0
#endif
#ifndef SEEK_LOST_INIT_SAM_FOUND
#define SEEK_LOST_INIT_SAM_FOUND 0
#endif
#ifndef SEEK_OLD_DEBIT_REFUSED
#define SEEK_OLD_DEBIT_REFUSED 0
#endif
#ifndef SEEK_PAYS_AGAIN
#define SEEK_PAYS_AGAIN 0
#endif
#ifndef SEEK_PROVED
#define SEEK_PROVED 0
#endif
#ifndef SEEK_RESUMED_FROM_JOURNAL
#define SEEK_RESUMED_FROM_JOURNAL 0
#endif
#ifndef SEEK_SETTLED
#define SEEK_SETTLED 0
#endif
#ifndef SEEK_VOIDED_BY_RECOVERY
#define SEEK_VOIDED_BY_RECOVERY 0
#endif
#ifndef SEEK_VOID_OF_ANOTHER_TSN
#define SEEK_VOID_OF_ANOTHER_TSN 0
#endif
