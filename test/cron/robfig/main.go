package main
import ("bufio";"fmt";"os";"strings";"strconv";"time";"github.com/robfig/cron/v3")
func main(){ p:=cron.NewParser(cron.SecondOptional|cron.Minute|cron.Hour|cron.Dom|cron.Month|cron.Dow|cron.Descriptor); in:=bufio.NewScanner(os.Stdin)
for in.Scan(){ f:=strings.Split(in.Text(),"\t"); loc,e:=time.LoadLocation(f[1]); if e!=nil{panic(e)}; at,_:=strconv.ParseInt(f[2],10,64); s,e:=p.Parse(f[0]); if e!=nil{fmt.Println("x");continue}; n:=s.Next(time.Unix(at,0).In(loc)); if n.IsZero(){fmt.Println("-")}else{fmt.Println(n.Unix())}}}
