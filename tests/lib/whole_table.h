#ifndef TESTS_LIB_WHOLE_TABLE_H
#define TESTS_LIB_WHOLE_TABLE_H

/* The table of all commands, as a server has it. One for the whole process, never freed: making it takes longer than most of what a fuzzer
 * does with a node. */
struct command_table;
struct command_table *whole_table(void);

#endif
