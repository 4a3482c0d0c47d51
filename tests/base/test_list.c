#include "base/list.h"

#include "tests/test.h"

#include "base/mem.h"

struct item {
    int number;
    struct list node;
};

static int number_at(const struct list *head, int position)
{
    struct list *at = head->next;
    while (position-- > 0)
        at = at->next;
    return CONTAINER_OF(at, struct item, node)->number;
}

TEST(empty_head_points_to_itself)
{
    struct list head;
    list_init(&head);
    CHECK(list_empty(&head));
    CHECK(head.next == &head && head.prev == &head);
}

TEST(append_and_prepend_keep_order)
{
    struct list head;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    list_append(&head, &items[1].node);
    list_append(&head, &items[2].node);
    list_prepend(&head, &items[0].node);
    for (int i = 0; i < 3; i++)
        CHECK_EQ_INT(number_at(&head, i), i + 1);
    CHECK(head.prev == &items[2].node);
}

TEST(removing_twice_is_harmless)
{
    struct list head;
    struct item a = {.number = 1};
    struct item b = {.number = 2};
    list_init(&head);
    list_append(&head, &a.node);
    list_append(&head, &b.node);
    list_remove(&a.node);
    list_remove(&a.node);
    CHECK_EQ_INT(number_at(&head, 0), 2);
    list_remove(&b.node);
    CHECK(list_empty(&head));
}

TEST_MAIN()
