// Whose turn it is by a name that several models share, turn by turn.
#include "host/turn_book.h"

#include <gtest/gtest.h>

#include <map>

namespace quire {
namespace {

class TurnBookTest : public ::testing::Test {
 protected:
  TurnBookTest() { book_.set("m", {{1, 90}, {2, 10}}); }

  TurnBook::Ticket take() {
    const auto ticket = book_.take("m");
    EXPECT_TRUE(ticket);
    return ticket.value_or(TurnBook::Ticket());
  }
  std::size_t spend(TurnEnd end) {
    const TurnBook::Ticket ticket = take();
    book_.end(ticket, end);
    return ticket.model;
  }
  std::map<std::size_t, int> answer(int count) {
    std::map<std::size_t, int> answered;
    for (int i = 0; i < count; ++i) ++answered[spend(TurnEnd::kKept)];
    return answered;
  }

  TurnBook book_;
};

TEST_F(TurnBookTest, OfAnyTenEachGetsItsShare) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(answer(10), (std::map<std::size_t, int>{{1, 9}, {2, 1}}));
  }
  EXPECT_FALSE(book_.take("other"));
  book_.set("m", {{1, 0}});
  EXPECT_FALSE(book_.take("m")) << "nobody has a share";
}

TEST_F(TurnBookTest, WhatComesBackIsAsIfItHadNotBeenTaken) {
  std::map<std::size_t, int> answered;
  for (int i = 0; i < 100; ++i) {
    for (int k = 0; k < 30; ++k) spend(TurnEnd::kReturned);
    ++answered[spend(TurnEnd::kKept)];
  }
  EXPECT_EQ(answered, (std::map<std::size_t, int>{{1, 90}, {2, 10}}));
}

TEST_F(TurnBookTest, TurnsThatAreOutCountUntilTheyComeBack) {
  std::vector<TurnBook::Ticket> out;
  std::map<std::size_t, int> taken;
  for (int i = 0; i < 20; ++i) {
    out.push_back(take());
    ++taken[out.back().model];
  }
  EXPECT_EQ(taken.at(2), 2);
  for (const TurnBook::Ticket& ticket : out) {
    book_.end(ticket, ticket.model == 2 ? TurnEnd::kReturned : TurnEnd::kKept);
  }
  EXPECT_EQ(answer(2).at(2), 2) << "it is owed them";
}

// A model that cannot read what the other can: refusals are its share, but for the first few.
TEST_F(TurnBookTest, AModelThatRefusesAllDoesNotGetAll) {
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    const TurnBook::Ticket ticket = take();
    book_.end(ticket, ticket.model == 2 ? TurnEnd::kRefused : TurnEnd::kKept);
    refused += ticket.model == 2 ? 1 : 0;
  }
  EXPECT_NEAR(refused, 100 + TurnBook::kPatience + 4, 4);
}

TEST_F(TurnBookTest, ThoseWhoRefuseNowAndThenKeepTheirShare) {
  std::map<std::size_t, int> answered;
  for (int i = 0; i < 200; ++i) {
    for (int k = 0; k < i % 8; ++k) spend(TurnEnd::kRefused);
    ++answered[spend(TurnEnd::kKept)];
  }
  EXPECT_EQ(answered, (std::map<std::size_t, int>{{1, 180}, {2, 20}}));
}

TEST_F(TurnBookTest, TurnsOfSharesThatAreGoneAreNobodys) {
  const TurnBook::Ticket former = take();
  book_.set("m", {{1, 90}, {2, 10}});
  book_.end(former, TurnEnd::kReturned);
  book_.end({"nobody", 1, 1}, TurnEnd::kReturned);
  EXPECT_EQ(answer(10), (std::map<std::size_t, int>{{1, 9}, {2, 1}}));
}

}  // namespace
}  // namespace quire
